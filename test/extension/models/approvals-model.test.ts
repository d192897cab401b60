import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { registerApprovals } from '../../../src/extension/commands/policy-commands.ts';
import { ApprovalsModel } from '../../../src/extension/models/approvals-model.ts';
import type { SessionsModel } from '../../../src/extension/models/sessions-model.ts';
import type { SessionNode } from '../../../src/extension/models/tree-nodes.ts';
import type { CommandRegistry } from '../../../src/extension/ui/command-registry.ts';
import { SessionsView } from '../../../src/extension/views/sessions-view.ts';
import { ApprovalFiles, getApprovalsDirectory } from '../../../src/state/files/approval-files.ts';
import type { PendingApproval } from '../../../src/state/store.ts';
import { temporaryFolder } from '../../state/journal/fixture.ts';
import { commands, EventEmitter, window } from '../vscode-stub.ts';

const ID = '00000000-0000-4000-8000-000000000001';
const QUESTION: PendingApproval = {
  id: ID,
  at: new Date().toISOString(),
  until: new Date(Date.now() + 600_000).toISOString(),
  tool: 'pay',
  runtime: 'arn',
  text: 'An agent wants to pay.',
  mayLast: true,
  pid: process.pid,
};

async function setUp() {
  const state = await temporaryFolder();
  const store = new ApprovalFiles(getApprovalsDirectory(state));
  const approvals = new ApprovalsModel(() => ({ AGENTCORE_STATE_DIR: state }), 50);
  const sessionsModel = {
    value: { entries: [], problems: [] },
    onDidChange: new EventEmitter<never>().event,
    refresh: async () => undefined,
  } as unknown as SessionsModel;
  const view = new SessionsView(sessionsModel, approvals);
  const register = (id: string, run: (...given: unknown[]) => unknown) =>
    void commands.handlers.set(id, run);
  const subscription = registerApprovals({ register } as unknown as CommandRegistry, approvals);
  for (const one of [approvals, view, subscription]) onTestFinished(() => one.dispose());
  const group = () => view.getChildren().find(({ kind }) => kind === 'approvals');
  /** The pending calls, once there are `count`. */
  const waiting = async (count: number): Promise<SessionNode[]> => {
    await expect.poll(() => approvals.value.length).toBe(count);
    const node = group();
    return node ? view.getChildren(node) : [];
  };
  approvals.start();
  return { store, approvals, view, waiting };
}

const run = (id: string, node: unknown) => commands.handlers.get(id)?.(node);

afterEach(() => {
  commands.handlers.clear();
  commands.run.length = 0;
  window.said.length = 0;
  window.pressed = undefined;
});

describe('a call that waits for approval', () => {
  it('is shown above the sessions with one notification, and disappears when the proxy stops waiting', async () => {
    const { store, view, waiting } = await setUp();
    expect(await waiting(0)).toEqual([]);
    await store.put(QUESTION);
    const [node] = await waiting(1);
    const item = view.getTreeItem(node as SessionNode);
    expect(item).toMatchObject({ label: 'pay', contextValue: 'approval;session' });
    expect(item.accessibilityInformation?.label).toMatch(
      /^pay, waits for your approval, \d+ s left$/,
    );
    expect(item.tooltip).toBe(QUESTION.text);
    await store.put({ ...QUESTION, id: ID.replace(/1$/, '2'), mayLast: false });
    const [, other] = await waiting(2);
    expect(view.getTreeItem(other as SessionNode).contextValue).toBe('approval;once');
    expect(window.said).toHaveLength(2);
    await store.remove(ID);
    await waiting(1);
    expect(window.said).toHaveLength(2);
  });

  it.each([
    ['agentcore.approveOnce', 'once'],
    ['agentcore.approveForSession', 'session'],
    ['agentcore.denyCall', 'deny'],
  ])('is answered by %s', async (command, answer) => {
    const { store, waiting } = await setUp();
    await store.put(QUESTION);
    const [node] = await waiting(1);
    await run(command, node);
    expect(await store.readAnswer(ID)).toBe(answer);
  });

  it('is answered from its full question, and keeps waiting if the user closes the question', async () => {
    const { store, waiting } = await setUp();
    await store.put(QUESTION);
    await waiting(1);
    await run('_agentcore.reviewApproval', ID);
    expect(await store.readAnswer(ID)).toBeUndefined();
    window.pressed = 'Approve Once';
    await run('_agentcore.reviewApproval', ID);
    expect(await store.readAnswer(ID)).toBe('once');
  });

  it('shows a message if it no longer waits', async () => {
    const { store, waiting } = await setUp();
    await store.put(QUESTION);
    const [node] = await waiting(1);
    await store.remove(ID);
    await expect(run('agentcore.approveOnce', node)).rejects.toThrow('is no longer waiting');
  });

  it('is shown without text that VS Code would turn into a link', async () => {
    const { store, view, waiting } = await setUp();
    await store.put({ ...QUESTION, tool: '[ok](command:evil)' });
    const [node] = await waiting(1);
    for (const text of [view.getTreeItem(node as SessionNode).label, ...window.said]) {
      expect(text).not.toMatch(/[[\]()]/);
    }
  });
});
