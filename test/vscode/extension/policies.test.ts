import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { AuditLog } from '../../../src/state/audit/audit-log.ts';
import { ApprovalFiles, getApprovalsDirectory } from '../../../src/state/files/approval-files.ts';
import type { PendingApproval } from '../../../src/state/store.ts';
import { stepMs } from '../harness/browser.ts';
import { until } from '../harness/until.ts';
import { DEVELOPER, developerFiles, sampleServer, useAgentCore } from './use-agentcore.ts';

const scene = useAgentCore(
  { accessKeys: [DEVELOPER], runtimes: { notes: sampleServer() } },
  (local) => ({
    home: developerFiles('dev'),
    machineSettings: {
      'agentcore.runtimes': [{ name: 'notes', arn: local.runtime('notes').arn, profile: 'dev' }],
    },
    workspace: {
      'agentcore-policy.json': '{\n  "version": "1",\n  "tols": {}\n}\n',
    },
    name: 'policies',
  }),
);

test('a mistake in a policy is marked at its position', async () => {
  const { driver, folder, workbench } = scene().vsCode;
  await workbench.editors.open(join(folder.workspace, 'agentcore-policy.json'));
  await workbench.runCommand('AgentCore: Check Policy');
  await workbench.notifications.waitFor('is not a valid policy');
  const marks = () =>
    driver.run(({ languages }) =>
      languages
        .getDiagnostics()
        .flatMap(([, all]) => all)
        .filter(({ source }) => source === 'AgentCore')
        .map(({ message, range }) => [message, range.start.line]),
    );
  expect(await marks()).toEqual([['tols: there is no such field', 2]]);
  await driver.run(async ({ Range, window }) => {
    const editor = window.activeTextEditor;
    await editor?.edit((text) => text.replace(new Range(2, 3, 2, 7), 'tools'));
    await editor?.document.save();
  });
  await until(stepMs, 'The end of the mark', async () => (await marks()).length === 0);
  await workbench.editors.closeAll();
});

test('policy decisions are in the replay log, and the audit is verified', async () => {
  const { folder, workbench } = scene().vsCode;
  const audit = new AuditLog({
    stateFolder: folder.state,
    program: 'proxy',
    version: '1.0.0',
    onFailure: () => undefined,
  });
  onTestFinished(() => audit.close());
  await audit.record({
    phase: 'ended',
    id: 'a',
    from: 'client',
    method: 'tools/call',
    name: 'forget',
    runtime: 'arn',
    decision: { effect: 'deny', rule: '/default' },
  });
  await workbench.openContainer('AgentCore');
  const log = workbench.view('Replay Log');
  await log.open();
  await log.waitForDescription('forget', /^denied by \/default · .* proxy/);
  await workbench.runCommand('AgentCore: Verify Audit');
  await workbench.notifications.waitFor('unchanged: 2 records in 1 file');
});

test('a call that waits for approval is approved with one click', async () => {
  const { folder: run, workbench } = scene().vsCode;
  const store = new ApprovalFiles(getApprovalsDirectory(run.state));
  const question: PendingApproval = {
    id: '00000000-0000-4000-8000-000000000001',
    at: new Date().toISOString(),
    until: new Date(Date.now() + 600_000).toISOString(),
    tool: 'forget',
    runtime: 'arn',
    text: 'An agent wants to forget.',
    mayLast: true,
    pid: process.pid,
  };
  await store.put(question);
  onTestFinished(() => store.remove(question.id));
  await workbench.openContainer('AgentCore');
  await workbench.notifications.waitFor('An agent wants to call forget');
  const sessions = workbench.view('Sessions');
  await sessions.waitForDescription('forget', /^waits for your approval/);
  await sessions.runInlineAction('forget', 'Approve Once');
  const answer = await until(stepMs, 'The answer', () => store.readAnswer(question.id));
  expect(answer).toBe('once');
});
