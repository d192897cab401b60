import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { getJournalDirectory } from '../../../src/base/environment.ts';
import { registerAuditCommands } from '../../../src/extension/commands/activity-commands.ts';
import { ActivityModel, LOG_KINDS } from '../../../src/extension/models/activity-model.ts';
import { SessionsModel } from '../../../src/extension/models/sessions-model.ts';
import type { CommandRegistry } from '../../../src/extension/ui/command-registry.ts';
import { ActivityView } from '../../../src/extension/views/activity-view.ts';
import { AuditLog, getAuditDirectory } from '../../../src/state/audit/audit-log.ts';
import { readJournal } from '../../../src/state/journal/reader.ts';
import { foreignHead, temporaryFolder, writePart } from '../../state/journal/fixture.ts';
import { EventEmitter, env as vscodeEnv, window } from '../vscode-stub.ts';

const REQUEST = {
  phase: 'ended',
  id: 'a',
  from: 'client',
  method: 'tools/call',
  name: 'delete_db',
  runtime: 'arn',
} as const;
const DENIED = { ...REQUEST, decision: { effect: 'deny', rule: '/default' } } as const;

async function setUp() {
  const state = await temporaryFolder();
  const env = () => ({ AGENTCORE_STATE_DIR: state });
  const audit = new AuditLog({
    stateFolder: state,
    program: 'proxy',
    version: '1.2.3',
    onFailure: () => undefined,
  });
  const sessionsModel = new SessionsModel(env);
  const activity = new ActivityModel(sessionsModel, env, 50);
  const view = new ActivityView(activity);
  onTestFinished(() => audit.close());
  for (const one of [sessionsModel, activity, view]) onTestFinished(() => one.dispose());
  const labels = async () =>
    (await view.getChildren()).map((entry) => view.getTreeItem(entry).label);
  const verify = async () => {
    let run: (() => unknown) | undefined;
    const register = (_: string, action: () => unknown) => {
      run = action;
    };
    registerAuditCommands({ register } as unknown as CommandRegistry, env);
    await run?.();
    return window.said.at(-1);
  };
  return { state, audit, journal: sessionsModel, view, labels, verify };
}

afterEach(() => {
  window.said.length = 0;
  window.opened.length = 0;
  window.pressed = undefined;
});

describe('the replay log', () => {
  it('shows policy decisions as records that can be opened', async () => {
    const { audit, view, labels } = await setUp();
    await audit.record(DENIED);
    expect(await labels()).toEqual(['delete_db']);
    const [entry] = await view.shown();
    expect(entry?.record).toMatchObject(DENIED);
    const item = view.getTreeItem(entry as never);
    expect(item).toMatchObject({ contextValue: 'record', iconPath: { id: 'circle-slash' } });
    expect(item.accessibilityInformation?.label).toContain('denied by /default');
  });

  it.each([
    ['result', 'symbol-method'],
    ['tool-error', 'warning'],
    ['failed', 'error'],
    ['error', 'error'],
    ['cancelled', 'symbol-method'],
  ])('shows a call that ended with %s by its icon', async (outcome, id) => {
    const { view } = await setUp();
    const record = { type: 'call', method: 'tools/call', milliseconds: 1, attempts: 1, outcome };
    const entry = { record, head: { program: 'proxy', pid: 1 }, at: 0 };
    expect(view.getTreeItem(entry as never).iconPath).toEqual({ id });
  });

  it('shows new decisions, also from a folder that is created later', async () => {
    const { audit, labels, view } = await setUp();
    expect(await labels()).toEqual([]);
    const changed = new Promise<void>((resolve) => {
      view.onDidChangeTreeData(() => resolve());
    });
    await audit.record({ ...REQUEST, decision: { effect: 'allow' } });
    await changed;
    expect(await labels()).toEqual(['delete_db']);
  });

  it('hides decisions if the filter excludes them, or if the log is for one session', async () => {
    const { audit, labels, view } = await setUp();
    await audit.record({ ...DENIED, session: 'one' });
    const all = new Set(LOG_KINDS);
    view.filter = { kinds: new Set(LOG_KINDS.filter((kind) => kind !== 'decisions')) };
    expect(await labels()).toEqual([]);
    view.filter = { kinds: all, sessions: new Set(['other']) };
    expect(await labels()).toEqual([]);
    view.filter = { kinds: all, sessions: new Set(['one']) };
    expect(await labels()).toHaveLength(1);
  });

  it('shows the journal even if the audit cannot be read', async () => {
    const { state, labels } = await setUp();
    await writeFile(getAuditDirectory(state), 'no folder');
    const at = new Date().toISOString();
    const refused = { type: 'error', at, level: 'error', message: 'refused' } as const;
    await mkdir(getJournalDirectory(state));
    await writePart(getJournalDirectory(state), 'run', foreignHead(), [refused]);
    expect(await labels()).toContain('refused');
    await expect.poll(() => window.view?.message).toMatch(/ENOTDIR/);
  });

  it('shows a record once if it is both read and reported', async () => {
    const folder = await temporaryFolder();
    const recorded = new EventEmitter<object>();
    const { event } = new EventEmitter<object>();
    const journal = {
      value: { entries: [], problems: [] },
      onDidRecord: recorded.event,
      onDidChange: event,
      sessions: async () => ({ journal: { read: () => readJournal(folder) } }),
    };
    const activity = new ActivityModel(journal as never, () => ({ AGENTCORE_STATE_DIR: folder }));
    const view = new ActivityView(activity);
    for (const one of [activity, view]) onTestFinished(() => one.dispose());
    const record = (message: string) =>
      ({ type: 'error', at: new Date().toISOString(), level: 'error', message }) as const;
    const [first, second] = [record('first'), record('second')];
    const head = foreignHead();
    await writePart(folder, 'run', head, [first]);
    const labels = async () =>
      (await view.shown()).map(({ record }) => 'message' in record && record.message);
    expect(await labels()).toContain('first');
    recorded.fire({ record: first, head });
    recorded.fire({ record: second, head });
    expect((await labels()).filter(Boolean).toSorted()).toEqual(['first', 'second']);
  });

  it('recovers once an unreadable journal is readable again', async () => {
    const { state, journal: sessionsModel, labels } = await setUp();
    await writeFile(getJournalDirectory(state), 'no folder');
    await sessionsModel.refresh();
    expect(await labels()).toEqual([]);
    await rm(getJournalDirectory(state));
    await mkdir(getJournalDirectory(state));
    const at = new Date().toISOString();
    const refused = { type: 'error', at, level: 'error', message: 'refused' } as const;
    await writePart(getJournalDirectory(state), 'run', foreignHead(), [refused]);
    await sessionsModel.refresh();
    expect(await labels()).toContain('refused');
    expect(window.view?.message).toBe('');
  });
});

describe('the command that verifies the audit', () => {
  it('reports the number of records, and copies their last hashes', async () => {
    const { audit, verify } = await setUp();
    expect(await verify()).toContain('no records yet');
    await audit.record(DENIED);
    window.pressed = 'Copy Last Hashes';
    expect(await verify()).toBe('The audit is unchanged: 2 records in 1 file');
    await expect
      .poll(() => vscodeEnv.clipboard.text)
      .toMatch(/\.0\.jsonl ends with [\da-f]{64}\n$/);
  });

  it('reports a change', async () => {
    const { state, audit, verify } = await setUp();
    await audit.record(DENIED);
    const [name] = await readdir(getAuditDirectory(state));
    const path = `${getAuditDirectory(state)}/${name}`;
    await writeFile(path, (await readFile(path, 'utf8')).replace('delete_db', 'harmless'));
    window.pressed = 'Show Details';
    expect(await verify()).toMatch(/was changed \(1 problems\): .*line 3 does not follow/);
    await expect.poll(() => window.opened).toEqual([expect.stringContaining('line 3')]);
  });
});
