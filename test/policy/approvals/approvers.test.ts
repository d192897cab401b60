import { mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ApprovalFiles, getApprovalsDirectory } from '../../../src/state/files/approval-files.ts';
import type { GivenAnswer, PendingApproval } from '../../../src/state/store.ts';
import type { Line } from '../../fixtures/proxy-process.ts';
import { temporaryFolder } from '../../state/journal/fixture.ts';
import { startGuarded } from '../adversarial/guarded.ts';

const POLICY = `
version: "1"
tools:
  pay: { rules: [{ action: require_approval, on_deny: "Payments need you." }] }
  wipe: { rules: [{ action: require_approval, approval: call }] }
  refund: { rules: [{ action: require_approval, approval_timeout: 1s }] }
`;
const ENV = { AGENTCORE_APPROVALS: 'vscode' };

async function setUp(policy = POLICY, env: Record<string, string> = ENV) {
  const { proxy, state } = await startGuarded(policy, env);
  // A client that cannot prompt.
  await proxy.initialize();
  const folder = getApprovalsDirectory(state);
  const store = new ApprovalFiles(folder);
  const pending = async (): Promise<PendingApproval> => {
    let found: PendingApproval | undefined;
    await expect
      .poll(async () => {
        [found] = await store.list();
        return found;
      })
      .toBeDefined();
    return found as PendingApproval;
  };
  const answer = async (given: GivenAnswer) => store.answer(await pending(), given);
  return { proxy, folder, store, pending, answer };
}

function said({ result }: Line): string {
  return `${result.isError ? 'refused' : 'done'} ${result.content[0].text}`;
}

describe('a call that waits for approval in VS Code', () => {
  it('continues once the user approves, and leaves no file behind', async () => {
    const { proxy, folder, store, pending, answer } = await setUp();
    const call = proxy.call('pay', { amount: 501 });
    const question = await pending();
    expect(question).toMatchObject({ tool: 'pay', mayLast: true });
    expect(question.text).toContain('Payments need you.');
    expect(question.text).toContain('"amount":501');
    if (process.platform !== 'win32') {
      expect((await stat(join(folder, `${question.id}.json`))).mode & 0o777).toBe(0o600);
    }
    expect(await answer('once')).toBe(true);
    expect(said(await call)).toBe('done did tools/call');
    expect(await readdir(folder)).toEqual([]);
    expect(await store.answer(question, 'once')).toBe(false);
  });

  it('is prompted for once if the user approves for the session', async () => {
    const { proxy, answer } = await setUp();
    const call = proxy.call('pay');
    await answer('session');
    expect(said(await call)).toContain('done');
    expect(said(await proxy.call('pay', { other: 1 }))).toContain('done');
  });

  it('is not sent if the user denies it or does not answer in time', async () => {
    const { proxy, folder, answer } = await setUp();
    const call = proxy.call('pay');
    await answer('deny');
    expect(said(await call)).toContain('did not agree');
    expect(said(await proxy.call('refund'))).toContain('Nobody answered within 1 s.');
    expect(await readdir(folder)).toEqual([]);
  });

  it('cannot be approved for longer than the rule allows, whatever the answer file contains', async () => {
    const { proxy, folder, pending, answer } = await setUp();
    const call = proxy.call('wipe');
    expect(await answer('session')).toBe(false);
    const { id } = await pending();
    await writeFile(join(folder, `${id}.answer`), '{"allow":"session"}');
    expect(said(await call)).toContain('refused');
    const again = proxy.call('wipe');
    await writeFile(join(folder, `${(await pending()).id}.answer`), 'yes');
    expect(said(await again)).toContain('refused');
  });

  it('is stored without values if a policy redacts some', async () => {
    const { proxy, pending, answer } = await setUp(`${POLICY}redact: { kinds: { email: mask } }\n`);
    const call = proxy.call('pay', { to: 'ann@example.com', amount: 501 });
    const { text } = await pending();
    expect(text).toContain('"to"');
    expect(text).not.toContain('ann@example.com');
    expect(text).not.toContain('501');
    await answer('deny');
    await call;
  });

  it('is denied at once if VS Code approvals are not enabled', async () => {
    const { proxy } = await setUp(POLICY, {});
    expect(said(await proxy.call('pay'))).toContain('cannot ask a person');
  });
});

describe('the folder of approvals', () => {
  const question: PendingApproval = {
    id: '00000000-0000-4000-8000-000000000000',
    at: new Date(0).toISOString(),
    until: new Date(1_000).toISOString(),
    tool: 'pay',
    runtime: 'arn',
    text: 'May it?',
    mayLast: false,
    pid: 1,
  };

  it('lists the pending questions, despite other files', async () => {
    const folder = join(await temporaryFolder(), 'approvals');
    const clock = { now: 0 };
    const store = new ApprovalFiles(folder, () => clock.now);
    expect(await store.list()).toEqual([]);
    await store.put(question);
    await writeFile(join(folder, 'other.json'), JSON.stringify(question));
    await writeFile(join(folder, 'garbage.json'), '{');
    await mkdir(join(folder, 'folder.json'));
    await symlink('other.json', join(folder, 'link.json'));
    expect(await store.list()).toEqual([question]);
    clock.now = 1_000;
    expect(await store.list()).toEqual([]);
    clock.now = 999;
    await store.removeExpired();
    clock.now = 0;
    expect(await store.list()).toEqual([question]);
    await writeFile(join(folder, 'late.answer'), '{}');
    clock.now = 1_000;
    await store.removeExpired();
    clock.now = 0;
    expect(await store.list()).toEqual([]);
    expect(await readdir(folder)).not.toContain('late.answer');
  });

  it('accepts one answer to a question', async () => {
    const store = new ApprovalFiles(join(await temporaryFolder(), 'approvals'), () => 0);
    await store.put(question);
    expect(await store.answer(question, 'deny')).toBe(true);
    expect(await store.answer(question, 'once')).toBe(false);
    expect(await store.list()).toEqual([]);
  });
});
