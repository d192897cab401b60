import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findUnconfirmed, type WorkspaceCommand } from '../../../src/base/exec.ts';
import { openDiscovery } from '../../../src/extension/models/discovery-model.ts';
import {
  createEntryCredentials,
  IdentitiesModel,
} from '../../../src/extension/models/identities-model.ts';
import {
  CommandConsent,
  prepareTokenCommand,
} from '../../../src/extension/servers/command-consent.ts';
import { LocalAgentCores, prepareLocal } from '../../../src/extension/servers/local-agentcore.ts';
import { prepareWindow, ServerPreparation } from '../../../src/extension/servers/preparation.ts';
import { escapeInvisible, wrapLines } from '../../../src/extension/servers/preview.ts';
import { readEntry } from '../../../src/extension/settings/runtime-entry.ts';
import { getWindowEnvironment } from '../../../src/extension/settings/window-settings.ts';
import { getRemedies } from '../../../src/extension/ui/errors.ts';
import { openAwsLogin } from '../../../src/extension/ui/sign-in.ts';
import { SessionStore } from '../../../src/sessions/session-store.ts';
import { endWithTest } from '../../fixtures/running.ts';
import { window, workspace } from '../vscode-stub.ts';

const ARN = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/weather-Ab12Cd34Ef';
const { signal } = new AbortController();
const never = { isCancellationRequested: false, onCancellationRequested: () => ({ dispose() {} }) };

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'agentcore-consent-'));
  const path = folder;
  endWithTest(path, () => rm(path, { recursive: true, force: true }));
  window.said.length = 0;
  window.details.length = 0;
  window.sent.length = 0;
  window.pressed = undefined;
});

afterEach(() => {
  workspace.settings = {};
  workspace.ofWorkspace.clear();
  workspace.workspaceFolders = undefined;
  workspace.isTrusted = true;
});

function memory() {
  const values = new Map<string, unknown>();
  return {
    get: (key: string, standard: unknown) => values.get(key) ?? standard,
    update: async (key: string, value: unknown) => void values.set(key, value),
  } as never;
}

function consentOf(canAsk = true): CommandConsent {
  return new CommandConsent(memory(), canAsk);
}

/** Sets settings in the workspace or user scope. */
function configure(settings: Record<string, unknown>, scope: 'workspace' | 'user'): void {
  workspace.settings = settings;
  for (const key of scope === 'workspace' ? Object.keys(settings) : []) {
    workspace.ofWorkspace.add(key);
  }
}

/** An AWS file whose profile runs a command that writes a marker file. */
async function awsFile(mark: string): Promise<{ readonly config: string; readonly mark: string }> {
  const path = join(folder, mark);
  const key = JSON.stringify({ Version: 1, AccessKeyId: 'AKIAEXAMPLE', SecretAccessKey: 'hush' });
  await writeFile(
    join(folder, `${mark}.mjs`),
    `import { writeFileSync } from 'node:fs';
writeFileSync(${JSON.stringify(path)}, '');
console.log(${JSON.stringify(key)});\n`,
  );
  const config = join(folder, 'config');
  const command = `"${process.execPath}" ${join(folder, `${mark}.mjs`)}`;
  await writeFile(config, `[profile dev]\nregion = eu-west-1\ncredential_process = ${command}\n`);
  return { config, mark: path };
}

const exists = (path: string) =>
  readFile(path).then(
    () => true,
    () => false,
  );

describe('the confirmation of a command', () => {
  const command: WorkspaceCommand = { kind: 'tokenCommand', text: 'print-token --for me' };

  it('is asked for once, shows the command, and applies to exactly that command', async () => {
    const kept = memory();
    const consent = new CommandConsent(kept, true);
    window.pressed = 'Run Command';
    expect(await Promise.all([consent.confirm(command), consent.confirm(command)])).toEqual([
      true,
      true,
    ]);
    expect(window.said).toHaveLength(1);
    expect(window.details.at(-1)).toBe('print-token --for me');
    const later = new CommandConsent(kept, true);
    later.require(command, 'tools');
    const changed = { ...command, text: `${command.text} ` };
    expect(() => later.require(changed, 'tools')).toThrow('is not confirmed');
    const other = { ...command, kind: 'credential_process' } as const;
    expect(() => later.require(other, 'tools')).toThrow('is not confirmed');
  });

  it.each([
    ['the user does not answer', true, undefined],
    ['no user is at the window', false, 'Run Command'],
  ])('is denied if %s', async (_, canAsk, pressed) => {
    const consent = consentOf(canAsk);
    window.pressed = pressed;
    expect(await consent.confirm(command)).toBe(false);
    expect(() => consent.require(command, 'tools')).toThrow('is not confirmed');
  });

  it('is denied in a workspace that is not trusted', async () => {
    workspace.isTrusted = false;
    window.pressed = 'Run Command';
    expect(await consentOf().confirm(command)).toBe(false);
  });

  it('is offered by a button if an error needs it', () => {
    const consent = consentOf();
    try {
      consent.require(command, 'tools');
      expect.unreachable();
    } catch (thrown) {
      expect(getRemedies(thrown)[0]).toEqual({ kind: 'reviewCommand', command });
    }
  });
});

it('a command is shown with its hidden characters', () => {
  expect(escapeInvisible('a\u202eb\u200b\u3164\u00a0c\u001b[2K')).toBe(
    'a\\u{202e}b\\u{200b}\\u{3164}\\u{a0}c\\u{1b}[2K',
  );
  expect(escapeInvisible(`echo${' '.repeat(500)}; rm -rf x`)).toBe('echo ⟨500 × blank⟩ ; rm -rf x');
  expect(escapeInvisible('a\n\n\n\nb')).toBe('a ⟨4 × line break⟩ b');
  expect(escapeInvisible('first\nsecond\tthird')).toBe('first\nsecond\tthird');
  expect(wrapLines(`${'x'.repeat(80)}; rm\nshort`)).toBe(`${'x'.repeat(80)}↩\n; rm\nshort`);
});

describe('a token command', () => {
  const entry = readEntry({
    name: 'tools',
    arn: ARN,
    authorization: { type: 'tokenCommand', command: 'print-token' },
  });

  it.each(['user', 'workspace'] as const)(
    'from the %s settings is confirmed if the workspace sets it',
    async (scope) => {
      configure({ 'agentcore.runtimes': [] }, scope);
      const consent = consentOf();
      const preparation = new ServerPreparation(
        [prepareTokenCommand(consent), async () => ({ STARTED: '1' })],
        undefined,
        (thrown) => consent.confirmNeeded(thrown),
      );
      const start = () => preparation.prepare(entry, never as never);
      const refused = await start();
      expect(window.said).toHaveLength(scope === 'user' ? 0 : 1);
      expect(refused).toEqual(scope === 'user' ? { STARTED: '1' } : undefined);
      window.pressed = 'Run Command';
      expect(await start()).toEqual({ STARTED: '1' });
      expect(await start()).toEqual({ STARTED: '1' });
      expect(window.said).toHaveLength(scope === 'user' ? 0 : 2);
    },
  );
});

describe('a credential_process', () => {
  const entry = readEntry({ name: 'weather', arn: ARN, profile: 'dev' });

  it('from an AWS file in the user settings runs without a prompt', async () => {
    const { config, mark } = await awsFile('ran');
    configure({ 'agentcore.aws.configFile': config }, 'user');
    await (await createEntryCredentials(entry, { env: getWindowEnvironment() }))();
    expect(await exists(mark)).toBe(true);
  });

  it.each([
    [
      'the start of a server',
      (env: Env) => createEntryCredentials(entry, { env }).then((get) => get()),
    ],
    [
      'the view of credentials',
      async (env: Env) => {
        const { failure } = await new IdentitiesModel(() => env).ask({ profile: 'dev' });
        throw failure;
      },
    ],
    [
      'discovery',
      async (env: Env) => {
        const discovery = await openDiscovery({ ...env, AGENTCORE_STATE_DIR: folder });
        const place = { profile: 'dev', region: 'eu-west-1' };
        const [found] = await discovery.discoverAll({ places: [place] });
        const [problem] = found?.problems ?? [];
        expect(problem?.unconfirmed?.text).toContain(process.execPath);
        throw Object.assign(new Error(problem?.sentence), {
          name: 'UnconfirmedCommand',
          command: problem?.unconfirmed,
        });
      },
    ],
    [
      'stopping a session',
      async (env: Env) => {
        const sessions = new SessionStore({ ...env, AGENTCORE_STATE_DIR: folder }, 'extension');
        const session = {
          runtime: ARN,
          profile: 'dev',
          endpoint: 'https://bedrock-agentcore.eu-west-1.amazonaws.com',
          stopIds: ['x'.repeat(33)],
          mayBill: true,
          id: 'ours',
          programs: [],
        };
        let cause: unknown;
        await sessions.stop([session as never], {
          signal,
          onFailure: () => undefined,
          onResult: (_, result) => {
            cause = result.how === 'failed' ? result.cause : undefined;
          },
        });
        throw cause;
      },
    ],
  ])('from an AWS file in the workspace settings is refused at %s', async (_, work) => {
    const { config, mark } = await awsFile('ran');
    configure({ 'agentcore.aws.configFile': config }, 'workspace');
    const thrown = await work(getWindowEnvironment()).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(findUnconfirmed(thrown)).toMatchObject({ kind: 'credential_process' });
    expect(await exists(mark)).toBe(false);
  });

  it('runs once it is confirmed, and prompts again after a change', async () => {
    const { config, mark } = await awsFile('first');
    configure({ 'agentcore.aws.configFile': config }, 'workspace');
    const consent = consentOf();
    const env = () => getWindowEnvironment(consent.digests('credential_process'));
    const steps = [
      async () => {
        await (await createEntryCredentials(entry, { env: env() }))();
        return undefined;
      },
      prepareWindow(env),
    ];
    const preparation = new ServerPreparation(steps, undefined, (thrown) =>
      consent.confirmNeeded(thrown),
    );
    window.pressed = 'Run Command';
    const variables = await preparation.prepare(entry, never as never);
    expect(await exists(mark)).toBe(true);
    expect(window.said).toHaveLength(1);
    // The server that runs with these variables runs no other command from the file.
    const other = await awsFile('second');
    const server = { ...process.env, ...variables } as Env;
    await expect((await createEntryCredentials(entry, { env: server }))()).rejects.toThrow(
      'is not confirmed',
    );
    window.pressed = undefined;
    expect(await preparation.prepare(entry, never as never)).toBeUndefined();
    expect(window.said).toHaveLength(2);
    expect(await exists(other.mark)).toBe(false);
  });

  it('counts as set by the workspace if the path of the file is relative', async () => {
    const { mark } = await awsFile('ran');
    workspace.workspaceFolders = [{ uri: { scheme: 'file', fsPath: folder } }];
    configure({ 'agentcore.aws.configFile': 'config' }, 'user');
    await expect(
      (await createEntryCredentials(entry, { env: getWindowEnvironment() }))(),
    ).rejects.toThrow('is not confirmed');
    expect(await exists(mark)).toBe(false);
  });
});

describe('aws login', () => {
  it.each([
    ['user', undefined],
    ['workspace', 'Run Command'],
    ['workspace', undefined],
  ] as const)('with an AWS file of the %s settings, answered by %s', async (scope, pressed) => {
    const config = join(folder, 'config');
    const text = '[profile dev]\nlogin_session = arn\n[plugins]\ncli_legacy_plugin_path = here\n';
    await writeFile(config, text);
    configure({ 'agentcore.aws.configFile': config }, scope);
    window.pressed = pressed;
    const consent = consentOf();
    const login = openAwsLogin('dev', getWindowEnvironment(), (command) =>
      consent.confirm(command),
    );
    if (scope === 'workspace' && !pressed) {
      await expect(login).rejects.toMatchObject({ name: 'Cancelled' });
    } else {
      expect(await login).toBe(true);
    }
    const command = 'aws login --profile dev';
    const shown = [`${command}\n\n# ${config}\n${text}`];
    expect(window.details).toEqual(scope === 'workspace' ? shown : []);
    expect(window.sent).toEqual(scope === 'workspace' && !pressed ? [] : [command]);
  });
});

describe('the configuration of a local AgentCore', () => {
  it('from the workspace is shown and confirmed before its use, and again after a change', async () => {
    const config = join(folder, 'agentcore-local.yaml');
    const server = resolve('dist/sample-server.js');
    const text = (line: string) =>
      `runtimes:\n  mine:\n    command: ${JSON.stringify([process.execPath, server])}\n${line}`;
    await writeFile(config, text(''));
    const consent = consentOf();
    const places = { storage: folder, sampleServer: server, folder: () => undefined };
    const env = () => process.env;
    const cores = new LocalAgentCores({ program: resolve('dist/cli.js'), env, log() {} }, places);
    endWithTest(cores, async () => kill((await cores.of(config)).pid));
    const entry = readEntry({ name: 'mine', local: { config, runtime: 'mine' } });
    configure({ 'agentcore.runtimes': [] }, 'workspace');
    const step = prepareLocal(cores, consent);
    const preparation = new ServerPreparation([step], undefined, (thrown) =>
      consent.confirmNeeded(thrown),
    );
    await expect(step(entry, signal)).rejects.toThrow('are not confirmed');
    expect(await preparation.prepare(entry, never as never)).toBeUndefined();
    expect(window.details.at(-1)).toBe(text(''));
    window.pressed = 'Run Commands';
    expect(await preparation.prepare(entry, never as never)).toHaveProperty('AGENTCORE_AGENT_ARN');
    const local = await cores.of(config);
    const { pid } = local;
    await writeFile(config, text('# changed\n'));
    kill(pid);
    await expect.poll(() => local.pid).not.toBe(pid);
    await expect(local.ready()).rejects.toThrow('has changed since it was confirmed');
    window.pressed = undefined;
    expect(await preparation.prepare(entry, never as never)).toBeUndefined();
  });
});

type Env = ReturnType<typeof getWindowEnvironment>;

function kill(pid: number | undefined): void {
  if (pid !== undefined) process.kill(pid);
}
