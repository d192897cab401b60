import { rmSync, writeFileSync } from 'node:fs';
import { beforeEach, expect, test } from 'vitest';
import { stepMs } from '../harness/browser.ts';
import { until } from '../harness/until.ts';
import { leaveOrphan } from './orphan.ts';
import { DEVELOPER, developerFiles, sampleServer, useAgentCore } from './use-agentcore.ts';

const WORKSPACE_ARN = 'arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/theirs-AbCdEf1234';

const scene = useAgentCore(
  { accessKeys: [DEVELOPER], runtimes: { notes: sampleServer() } },
  (local) => ({
    home: developerFiles('dev'),
    workspaceTrust: true,
    machineSettings: {
      'agentcore.runtimes': [
        { name: 'wrong', arn: 'arn:aws:s3:::bucket' },
        { name: 'notes', arn: local.runtime('notes').arn, profile: 'dev' },
        { name: 'mode', arn: local.runtime('notes').arn, sessionMode: 'forever' },
      ],
    },
    workspace: {
      '.vscode/settings.json': JSON.stringify({
        // VS Code uses the workspace's list instead of the user's.
        'agentcore.runtimes': [
          { name: 'notes', arn: local.runtime('notes').arn, profile: 'dev' },
          { name: 'theirs', arn: WORKSPACE_ARN, profile: 'dev' },
        ],
      }),
    },
    name: 'settings',
  }),
);

beforeEach(async () => {
  await scene().vsCode.workbench.openContainer('AgentCore');
});

test('a broken entry is reported with its field, next to the valid entries', async () => {
  const runtimes = scene().vsCode.workbench.view('Runtimes');
  await runtimes.waitForDescription('notes', /^stopped · dev/);
  await runtimes.waitForDescription(
    'wrong',
    /^cannot be used: arn is not the ARN of an AgentCore runtime/,
  );
  await runtimes.waitForDescription('mode', /^cannot be used: sessionMode is "forever"/);
});

test('a broken entry opens the settings', async () => {
  const { workbench } = scene().vsCode;
  await workbench.view('Runtimes').runInlineAction('wrong', 'Open Settings');
  await workbench.editors.waitForText('arn:aws:s3:::bucket');
  await workbench.editors.closeAll();
});

test('the settings open in the scope of a remote window', async () => {
  const { settings } = scene().vsCode.workbench;
  await scene().vsCode.workbench.runCommand('AgentCore: Open Settings');
  // The commonly used settings are shown until the search has results.
  await until(stepMs, 'The settings of the extension', async () =>
    (await settings.labels()).some((label) => /^Agentcore.*: Runtimes/i.test(label)),
  );
  await settings.close();
});

test('in Restricted Mode workspace settings are ignored, and VS Code prompts before a server starts', async () => {
  const { driver, workbench } = scene().vsCode;
  const runtimes = workbench.view('Runtimes');
  expect((await runtimes.items('notes')).join('\n')).not.toContain('theirs');
  await runtimes.runInlineAction('notes', 'Start Server');
  expect(await workbench.dialog.text()).toContain('Do you trust the authors');
  await workbench.dialog.choose('Trust Folder & Continue');
  await runtimes.waitForDescription('notes', /^running/);
  await runtimes.waitForDescription('theirs', /^stopped · dev/);
  expect(await driver.run(({ workspace }) => workspace.isTrusted)).toBe(true);
});

test('the session of a killed program is offered for stopping', async () => {
  const { local, vsCode } = scene();
  const id = await leaveOrphan(vsCode.folder, local, 'notes');
  await vsCode.load();
  const { notifications } = vsCode.workbench;
  expect(await notifications.waitFor('An orphaned session')).toMatch(
    /^An orphaned session on notes-\w+ may be billed\. Estimated cost until it times out: .*$/,
  );
  expect(await notifications.buttons('An orphaned session')).toEqual([
    'Stop Sessions',
    'Show Sessions',
  ]);
  await notifications.press('An orphaned session', 'Stop Sessions');
  await local.until(
    () =>
      local
        .sessions('notes')
        .some((one) => one.runtimeSessionId === id && one.why === 'stop-runtime-session'),
    'the end of the session',
  );
});

test('the extension activates despite an unreadable journal and a dead endpoint', async () => {
  const { local, vsCode } = scene();
  const { folder, driver, workbench } = vsCode;
  rmSync(folder.state, { recursive: true });
  writeFileSync(folder.state, 'no folder');
  await local.close();
  await vsCode.load();
  await until(stepMs, 'The extension', () =>
    driver.run(
      ({ extensions }) => extensions.getExtension('agentcore-mcp.agentcore-mcp')?.isActive,
    ),
  );
  await workbench.openContainer('AgentCore');
  await workbench.view('Runtimes').waitForDescription('theirs', /^stopped/);
  expect(await workbench.view('Sessions').welcome()).toContain('cannot be read');
});
