import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from 'jsonc-parser';
import { beforeEach, describe, expect, test } from 'vitest';
import packageJson from '../../../package.json' with { type: 'json' };
import { stepMs } from '../harness/browser.ts';
import { until } from '../harness/until.ts';
import { layout } from '../install/layout.ts';
import { picture } from './picture.ts';
import { DEVELOPER, developerFiles, sampleServer, useAgentCore } from './use-agentcore.ts';

const CALLER = 'arn:aws:iam::123456789012:role/Caller';
/** The existing content of clients' configuration files. */
const OTHER = { command: 'other', args: [] };
const BROKEN = '{ "mcpServers": { "other": {';
const EXTERNAL_ID = 'agreed-with-the-partner';

const scene = useAgentCore(
  {
    accessKeys: [DEVELOPER],
    roles: [{ arn: CALLER, externalId: EXTERNAL_ID }],
    runtimes: { notes: sampleServer(), weather: sampleServer() },
  },
  (local) => ({
    home: {
      ...developerFiles('dev', 'other'),
    },
    machineSettings: {
      'agentcore.runtimes': [
        { name: 'notes', arn: local.runtime('notes').arn, profile: 'dev' },
        { name: 'weather', arn: local.runtime('weather').arn, profile: 'dev' },
      ],
    },
    name: 'runtimes',
  }),
);

const view = (title: string) => scene().vsCode.workbench.view(title);

/**
 * The runtime sessions of a runtime, oldest first, with the reason of their end, from its own
 * records.
 */
function endings(runtime: string): readonly (string | undefined)[] {
  return scene()
    .local.sessions(runtime)
    .map(({ why }) => why);
}

/** The entries in the settings. */
async function entries(): Promise<readonly object[]> {
  return scene().vsCode.driver.run(
    ({ workspace }) =>
      workspace.getConfiguration('agentcore').get<readonly object[]>('runtimes') ?? [],
  );
}

const copied = () => scene().vsCode.driver.run(({ env }) => env.clipboard.readText());

beforeEach(async () => {
  await scene().vsCode.workbench.openContainer('AgentCore');
});

describe('runtimes', () => {
  test('configured runtimes show their server state', async () => {
    await view('Runtimes').waitForDescription('notes', /^stopped · dev · session$/);
    await view('Runtimes').waitForDescription('weather', /^stopped · dev · session$/);
    expect(await view('Runtimes').accessibleName('notes')).toContain('stopped');
  });

  test('a server is started, and its output is shown', async () => {
    const { workbench } = scene().vsCode;
    await view('Runtimes').runInlineAction('notes', 'Start Server');
    await view('Runtimes').waitForDescription('notes', /^running · dev/);
    await view('Runtimes').runInlineAction('weather', 'Start Server');
    await view('Runtimes').waitForDescription('weather', /^running · dev/);
    await view('Runtimes').runInlineAction('weather', 'Show Server Output');
    await workbench.output.waitFor('Discovered 8 tools');
    await workbench.runCommand('View: Hide Panel');
    expect([...endings('notes'), ...endings('weather')]).toEqual([undefined, undefined]);
  });

  test('another profile restarts its server, and no other', async () => {
    const { quickInput } = scene().vsCode.workbench;
    await view('Runtimes').chooseFromMenu('notes', 'Switch Profile…');
    await quickInput.waitFor('Pick the AWS profile to call it with');
    await quickInput.pick('other');
    await view('Runtimes').waitForDescription('notes', /^running · other/);
    expect(endings('notes')).toEqual(['stop-runtime-session', undefined]);
    expect(endings('weather')).toEqual([undefined]);
  });

  test('a server is restarted with a new session, and stopped together with it', async () => {
    const { local } = scene();
    await view('Runtimes').runInlineAction('weather', 'Restart Server');
    await local.until(() => endings('weather').length === 2, 'another session');
    await view('Runtimes').waitForDescription('weather', /^running/);
    expect(endings('weather')).toEqual(['stop-runtime-session', undefined]);
    await view('Runtimes').runInlineAction('weather', 'Stop Server');
    await view('Runtimes').waitForDescription('weather', /^stopped/);
    expect(endings('weather')).toEqual(['stop-runtime-session', 'stop-runtime-session']);
  });

  test('the runtimes of a profile and region are loaded when the node is expanded', async () => {
    const { local, vsCode } = scene();
    const asked = () => local.requests.some(({ rpcMethod }) => rpcMethod === 'ListAgentRuntimes');
    expect(asked()).toBe(false);
    await view('Runtimes').expand('dev · us-east-1');
    await view('Runtimes').waitForDescription('dev · us-east-1', /^2 found · \d+ s ago$/);
    expect(asked()).toBe(true);
    expect(await view('Runtimes').items('weather')).toEqual(
      expect.arrayContaining([
        '  notes MCP · IAM · ready · set up',
        '  weather MCP · IAM · ready · set up',
      ]),
    );
    await picture(vsCode, 'runtimes', {
      width: 1100,
      height: 420,
      views: ['Runtimes'],
    });
  });
});

describe('credentials', () => {
  test('a profile shows its caller identity when it is expanded', async () => {
    const credentials = view('Credentials');
    await credentials.waitForDescription('other', /^access key · us-east-1$/);
    await credentials.expand('other');
    expect(await credentials.items('user developer')).toContainEqual(
      expect.stringMatching(/^ {2}user developer 123456789012/),
    );
  });
});

describe('commands', () => {
  test('the session mode is changed, and the entry keeps all other fields', async () => {
    const { workbench } = scene().vsCode;
    await view('Runtimes').chooseFromMenu('weather', 'Change Session Mode…');
    await workbench.quickInput.pick('One for each request');
    await view('Runtimes').waitForDescription('weather', /^stopped · dev · request$/);
    expect((await entries())[1]).toEqual({
      name: 'weather',
      arn: scene().local.runtime('weather').arn,
      profile: 'dev',
      sessionMode: 'request',
    });
  });

  test('a role is selected with its external ID, which is known afterwards', async () => {
    const { folder, workbench } = scene().vsCode;
    const { quickInput } = workbench;
    await view('Runtimes').chooseFromMenu('notes', 'Switch Role…');
    await quickInput.waitFor('Pick a role to assume, or type its ARN');
    await quickInput.pick('Enter a Role…');
    await quickInput.waitForMessage('The ARN of the role');
    await quickInput.type(CALLER);
    await quickInput.accept();
    await quickInput.waitForMessage('The external ID');
    await quickInput.back();
    await quickInput.waitForValue(CALLER);
    await quickInput.accept();
    await quickInput.waitForMessage('The external ID');
    await quickInput.type(EXTERNAL_ID);
    await quickInput.accept();
    await view('Runtimes').waitForDescription('notes', /^running · other · Caller · session$/);
    const role = { arn: CALLER, externalId: EXTERNAL_ID };
    expect((await entries())[0]).toMatchObject({ name: 'notes', assumeRole: role });
    const remembered = readFileSync(join(folder.state, 'role-targets.json'), 'utf8');
    expect(remembered).not.toContain(EXTERNAL_ID);

    await view('Runtimes').chooseFromMenu('notes', 'Switch Role…');
    const roles = await quickInput.itemsWith('Caller');
    expect(roles.filter(({ label }) => label === 'Caller')).toHaveLength(1);
    await quickInput.accept();
    await quickInput.waitUntilClosed();
    expect((await entries())[0]).toMatchObject({ assumeRole: role });
  });

  test('an entry is edited step by step, with its current values', async () => {
    const { workbench } = scene().vsCode;
    const { quickInput } = workbench;
    await view('Runtimes').chooseFromMenu('weather', 'Edit Runtime…');
    await quickInput.waitFor('Pick a runtime or a gateway, or paste an ARN');
    // The current value is selected once it is loaded.
    await quickInput.itemsWith('weather');
    await quickInput.accept();
    for (const placeholder of [
      'Pick the endpoint to call, or type its name',
      'Pick the AWS profile to call it with',
      'Pick a role to assume, or type its ARN',
    ]) {
      await quickInput.waitFor(placeholder);
      await quickInput.accept();
    }
    await quickInput.waitFor('Access check: it starts a session and stops it again');
    await quickInput.pick('Continue');
    await quickInput.waitFor('Pick how sessions of the runtime are used');
    await quickInput.accept();
    await quickInput.waitForMessage('The name of the server');
    await quickInput.type('notes');
    await quickInput.waitForMessage('Another runtime is called "notes"');
    await quickInput.type('forecast');
    await quickInput.accept();
    await workbench.notifications.dismiss('forecast is ready');
    await view('Runtimes').waitForDescription('forecast', /^running · dev · request$/);
    const { arn } = scene().local.runtime('weather');
    expect((await entries())[1]).toMatchObject({ name: 'forecast', arn, profile: 'dev' });
  });

  test('the logs of a runtime open in CloudWatch, and its ARN and policy can be copied', async () => {
    const { workbench } = scene().vsCode;
    const { arn, runtimeId } = scene().local.runtime('notes');
    await view('Runtimes').chooseFromMenu('notes', 'Open CloudWatch Logs');
    expect(await workbench.dialog.text()).toContain('open the external website');
    await workbench.dialog.choose('Copy');
    const group = `$252Faws$252Fbedrock-agentcore$252Fruntimes$252F${runtimeId}-DEFAULT`;
    expect(await copied()).toBe(
      `https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#logsV2:log-groups/log-group/${group}`,
    );
    await view('Runtimes').chooseFromMenu('notes', 'Copy ARN');
    await until(stepMs, 'The ARN in the clipboard', async () => (await copied()) === arn);
  });

  test('diagnostics list the configuration, and mask accounts', async () => {
    const { workbench } = scene().vsCode;
    await workbench.runCommand('AgentCore: Copy Diagnostics');
    await workbench.notifications.dismiss('Copied.');
    const text = await copied();
    expect(text).toContain('Runtimes: 2');
    expect(text).toContain('profile other');
    for (const hidden of ['123456789012', DEVELOPER.secret, EXTERNAL_ID]) {
      expect(text).not.toContain(hidden);
    }
  });

  test('a runtime is removed after a confirmation, and its session is stopped', async () => {
    const { workbench } = scene().vsCode;
    await view('Runtimes').chooseFromMenu('notes', 'Remove Runtime…');
    expect(await workbench.dialog.text()).toContain('notes');
    const [button = ''] = (await workbench.dialog.buttons()).filter((word) => word !== 'Cancel');
    await workbench.dialog.choose(button);
    // Below its profile, it stays on the list of discovered runtimes.
    const isRemoved = async () =>
      !(await view('Runtimes').items('forecast')).some((item) => item.startsWith('notes'));
    await until(stepMs, 'The removal', isRemoved);
    await scene().local.until(() => endings('notes').every(Boolean), 'the end of its sessions');
    // Also if its role requires an external ID, which is only in the settings.
    await workbench.notifications.waitUntilGone('Stopping the session');
    expect(await workbench.notifications.texts()).toEqual([]);
  });
});

describe('other clients', () => {
  const file = (path: string) => join(scene().vsCode.folder.home, path);
  /** Selects the client and the action from the item `forecast`. */
  async function install(client: string, how?: string): Promise<void> {
    const { quickInput } = scene().vsCode.workbench;
    await view('Runtimes').chooseFromMenu('forecast', 'Install for Other Client…');
    await quickInput.waitFor('Pick the client');
    await quickInput.pick(client);
    if (how === undefined) return;
    await quickInput.waitFor('Choose an action');
    await quickInput.pick(how);
  }
  const server = () => ({
    command: 'npx',
    args: ['-y', `agentcore-mcp@${packageJson.version}`, 'proxy'],
    env: {
      AGENTCORE_SERVER_NAME: 'forecast',
      AGENTCORE_AGENT_ARN: scene().local.runtime('weather').arn,
      RUNTIME_SESSION_MODE: 'request',
      AWS_PROFILE: 'dev',
    },
  });

  test('a client gets the server next to its others, after a preview of the change', async () => {
    const { editors, notifications } = scene().vsCode.workbench;
    // The file of this window's profile, which is in its data folder.
    const path = join(scene().vsCode.folder.root, 'data', 'User', 'mcp.json');
    writeFileSync(path, `{\n  // mine\n  "servers": { "other": ${JSON.stringify(OTHER)} },\n}\n`);
    await install('code-server, all windows', 'Write to File');
    await editors.waitFor('mcp.json (what changes)');
    await notifications.press(`Write the server to ${path}?`, 'Write');
    await notifications.dismiss(`Added server "forecast" to ${path}.`);
    expect(await editors.titles()).toEqual([]);
    const text = readFileSync(path, 'utf8');
    expect(text).toContain('// mine');
    expect(parse(text)).toEqual({
      servers: { other: OTHER, forecast: { type: 'stdio', ...server() } },
    });
  });

  test('a client with a broken file loses nothing', async () => {
    const { folder, workbench } = scene().vsCode;
    const path = join(folder.workspace, '.vscode', 'mcp.json');
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, BROKEN);
    await install('VS Code, this folder', 'Write to File');
    expect(await workbench.notifications.waitFor('Could not add the server')).toMatch(
      /mcp\.json: it is .*\. Correct the file and try again, or copy the server\.$/,
    );
    await workbench.notifications.dismiss('Could not add the server');
    expect(readFileSync(path, 'utf8')).toBe(BROKEN);
    rmSync(path);
  });

  test('no file is written if the user discards or copies the change', async () => {
    const { folder, workbench } = scene().vsCode;
    await install('VS Code, this folder', 'Write to File');
    await workbench.notifications.press('Write the server to', 'Discard');
    // It is on the browser's machine, which may be another one.
    await install('Claude Desktop');
    await workbench.notifications.dismiss('Copied for Claude Desktop');
    expect(JSON.parse(await copied())).toEqual({ mcpServers: { forecast: server() } });
    expect(existsSync(join(folder.workspace, '.vscode', 'mcp.json'))).toBe(false);
    expect(existsSync(file('.config/Claude'))).toBe(false);
  });
});

/** Prints the time without a limit, because it depends on the load of the machine. */
test('VS Code reports the activation time', async () => {
  const { page } = scene().vsCode.workbench;
  await scene().vsCode.workbench.runCommand('Developer: Show Running Extensions');
  const row = page.locator('.runtime-extensions-editor .monaco-list-row', {
    hasText: 'AgentCore MCP',
  });
  const [, milliseconds] = /(\d+)ms/.exec(await row.locator('.activation-time').innerText()) ?? [];
  expect(Number(milliseconds)).toBeGreaterThanOrEqual(0);
  writeFileSync(join(layout.root, 'activation.json'), JSON.stringify({ milliseconds }));
  await scene().vsCode.workbench.editors.closeAll();
});
