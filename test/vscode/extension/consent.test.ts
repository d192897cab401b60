import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { DEVELOPER, sampleServer, useAgentCore } from './use-agentcore.ts';

/** Writes a marker file and prints a key, like a `credential_process`. */
const PROCESS = `import { writeFileSync } from 'node:fs';
writeFileSync(process.argv[2], '');
console.log(JSON.stringify({ Version: 1, AccessKeyId: '${DEVELOPER.id}', SecretAccessKey: '${DEVELOPER.secret}' }));
`;

const scene = useAgentCore(
  { accessKeys: [DEVELOPER], runtimes: { notes: sampleServer() } },
  (local) => ({
    home: { 'print-key.mjs': PROCESS },
    workspace: {
      'aws/config': '[profile team]\nregion = us-east-1\n',
      '.vscode/settings.json': JSON.stringify({
        'agentcore.aws.configFile': 'aws/config',
        'agentcore.runtimes': [
          { name: 'notes', arn: local.runtime('notes').arn, profile: 'team' },
          {
            name: 'guarded',
            arn: local.runtime('notes').arn,
            authorization: { type: 'tokenCommand', command: 'print-token --audience tools' },
          },
          { name: 'mine', local: { config: 'agentcore-local.yaml', runtime: 'mine' } },
        ],
      }),
      'agentcore-local.yaml': `# ${'A long file is shown in an editor. '.repeat(30)}\nruntimes:\n  mine:\n    command: [node, server.js]\n`,
    },
    name: 'consent',
  }),
);

const view = (title: string) => scene().vsCode.workbench.view(title);
const mark = (name: string) => join(scene().vsCode.folder.workspace, name);

/** Sets this command in the profile of the workspace. */
function useProcess(name: string): string {
  const { home, workspace } = scene().vsCode.folder;
  const command = `"${process.execPath}" ${join(home, 'print-key.mjs')} ${mark(name)}`;
  writeFileSync(
    join(workspace, 'aws', 'config'),
    `[profile team]\nregion = us-east-1\ncredential_process = ${command}\n`,
  );
  return command;
}

/** Runs the command of a row. The row may be reloaded meanwhile, so its name is passed directly. */
async function runOn(name: string, command: string): Promise<void> {
  await scene().vsCode.driver.run(
    ({ commands }, command, name) => {
      // Not awaited, because it waits for the user.
      void commands.executeCommand(command, { name });
    },
    command,
    name,
  );
}

const startServer = (name: string) => runOn(name, 'agentcore.startServer');

beforeEach(async () => {
  await scene().vsCode.workbench.openContainer('AgentCore');
});

test('a command of the workspace runs only after it was shown and confirmed', async () => {
  const { workbench } = scene().vsCode;
  const { dialog } = workbench;
  const command = useProcess('first');
  await startServer('notes');
  expect(await dialog.text()).toContain('Run this command to get AWS credentials?');
  expect(await dialog.text()).toContain(command);
  await workbench.screenshot('consent-process');
  await dialog.choose('Cancel');
  await view('Runtimes').waitForDescription('notes', /^stopped/);
  expect(existsSync(mark('first'))).toBe(false);
  await startServer('notes');
  await dialog.choose('Run Command');
  await view('Runtimes').waitForDescription('notes', /^running/);
  expect(existsSync(mark('first'))).toBe(true);
  await view('Runtimes').runInlineAction('notes', 'Stop Server');
  await view('Runtimes').waitForDescription('notes', /^stopped/);
  // Ends with the credentials of this command.
  const { local } = scene();
  const isOver = () => local.sessions('notes').every(({ state }) => state === 'Stopped');
  await local.until(isOver, 'the end of the session');
});

test('a changed command requires a new confirmation', async () => {
  const { dialog } = scene().vsCode.workbench;
  const command = useProcess('second');
  await startServer('notes');
  expect(await dialog.text()).toContain(command);
  await dialog.choose('Cancel');
  expect(existsSync(mark('second'))).toBe(false);
});

test('a token command is shown literally', async () => {
  const { workbench } = scene().vsCode;
  await startServer('guarded');
  expect(await workbench.dialog.text()).toContain('print-token --audience tools');
  await workbench.screenshot('consent-token');
  await workbench.dialog.choose('Cancel');
  await view('Runtimes').waitForDescription('guarded', /^stopped/);
});

test('the setup check prompts before it runs a token command', async () => {
  const { quickInput, dialog } = scene().vsCode.workbench;
  const check = 'Access check: it starts a session and stops it again';
  await runOn('guarded', 'agentcore.editRuntime');
  await quickInput.waitFor('Pick a runtime or a gateway, or paste an ARN');
  await quickInput.type(scene().local.runtime('notes').arn);
  await quickInput.pick('Use this ARN');
  await quickInput.waitFor('Pick the endpoint to call, or type its name');
  await quickInput.pick('DEFAULT');
  await quickInput.waitFor('How are callers authorized?');
  await quickInput.accept();
  await quickInput.waitForValue('print-token --audience tools');
  await quickInput.accept();
  await quickInput.waitFor(check);
  await quickInput.pick('Review Command');
  expect(await dialog.text()).toContain('print-token --audience tools');
  await dialog.choose('Cancel');
  await quickInput.waitFor(check);
  await quickInput.itemsWith('Review Command');
  await quickInput.escape();
  await quickInput.waitUntilClosed();
});

test('a long configuration is shown in an editor during the prompt', async () => {
  const { workbench } = scene().vsCode;
  const { editors, notifications } = workbench;
  await startServer('mine');
  await editors.waitForText('A long file is shown');
  const question = 'Run the commands of this local AgentCore configuration?';
  expect(await notifications.buttons(question)).toEqual(['Run Commands']);
  await workbench.screenshot('consent-local');
  await notifications.dismiss(question);
  await view('Runtimes').waitForDescription('mine', /^stopped/);
  await expect.poll(() => editors.titles()).toEqual([]);
});
