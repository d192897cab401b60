import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { type AccountsArguments, runAccounts } from '../../src/cli/accounts.ts';
import {
  isBrowserUnavailable,
  type LoginArguments,
  type LogoutArguments,
  runLogin,
  runLogout,
} from '../../src/cli/login.ts';
import { CONFIG, HOUR, Home, NEVER, START_URL } from '../aws/sso/home.ts';
import { ScriptedIdentityCenter } from '../aws/sso/scripted-identity-center.ts';
import { httpAgent, start } from '../local/harness.ts';

/** The output of a program, with a method to wait for it. */
class Output {
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  out = '';
  err = '';
  #onOutput: (() => void)[] = [];

  constructor() {
    this.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.out += text;
      for (const notify of this.#onOutput.splice(0)) notify();
    });
    this.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.err += text;
    });
  }

  async find(pattern: RegExp): Promise<string> {
    for (;;) {
      const match = pattern.exec(this.out);
      if (match) return match[1] ?? match[0];
      await new Promise<void>((resolve) => this.#onOutput.push(resolve));
    }
  }

  get json(): Record<string, unknown>[] {
    return this.out
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  }
}

/** A display, so that a browser can be shown. */
const DISPLAY = { DISPLAY: ':0' };

async function local() {
  const runtime = await start(
    { agent: httpAgent() },
    {
      sso: {
        users: {
          alice: {
            accounts: {
              '111122223333': {
                name: 'Production',
                roles: { Developer: {}, ReadOnly: {} },
              },
              '444455556666': { name: 'Sandbox', roles: { Admin: {} } },
            },
          },
        },
      },
    },
  );
  const { startUrl, region } = runtime.sso;
  const config = CONFIG.replace(START_URL, startUrl).replace('eu-west-1', region);
  return { runtime, sso: runtime.sso, home: new Home(config, runtime.url) };
}

async function scripted() {
  const center = await ScriptedIdentityCenter.start();
  return { center, home: new Home(CONFIG, center.url) };
}

const loginTo = (home: Home, options: LoginArguments, output: Output, signal = NEVER) =>
  runLogin({ profile: 'work', ...options }, { ...home.env, ...DISPLAY }, output, signal);

async function accounts(home: Home, options: AccountsArguments) {
  const output = new Output();
  const code = await runAccounts({ profile: 'work', ...options }, home.env, output, NEVER);
  return { code, output };
}

async function logoutFrom(home: Home, options: LogoutArguments = {}) {
  const output = new Output();
  const code = await runLogout({ profile: 'work', ...options }, home.env, output, NEVER);
  return { code, output };
}

/** Submits the form of the sign-in page, and follows its redirect. */
async function fillIn(page: string, decision: string): Promise<string> {
  expect(await (await fetch(page)).text()).toContain('<strong>AgentCore MCP</strong>');
  const answer = new URLSearchParams({ user: 'alice', decision });
  return (await fetch(page, { method: 'POST', body: answer })).text();
}

describe('agentcore-mcp login', () => {
  it('signs in on the page that it prints', async () => {
    const { sso, home } = await local();
    const output = new Output();
    const pending = loginTo(home, { browser: false }, output);
    const page = await output.find(
      /Open this page in a browser on this machine:\n {2}(http\S+authorize\S+)\n/,
    );
    expect(await fillIn(page, 'approve')).toContain('<h1>Signed in</h1>');
    expect(await pending).toBe(0);
    expect(output.out).toMatch(
      /\nSigned in to SSO session "corp" \(http:\S+\/start\) until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n$/,
    );
    expect(output.err).toBe('');
    expect(sso.tokens).toMatchObject([{ user: 'alice', refreshable: true }]);
    const again = new Output();
    expect(await loginTo(home, {}, again)).toBe(0);
    expect(again.out).toMatch(/^Already signed in to SSO session "corp"/);
  });

  it('fails if the user denies the request on the page', async () => {
    const { home } = await local();
    const output = new Output();
    const pending = loginTo(home, { browser: false }, output);
    const page = await output.find(/\n {2}(http\S+authorize\S+)\n/);
    void fillIn(page, 'deny').catch(() => undefined);
    await expect(pending).rejects.toMatchObject({
      code: 'credentials',
      message: expect.stringContaining('was refused (The user has denied access)'),
    });
  });

  it('signs in with a code that is entered on another device', async () => {
    const { sso, home } = await local();
    const output = new Output();
    const pending = loginTo(home, { device: true }, output);
    const code = await output.find(/type the code:\n {2}(\S+)\n/);
    expect(output.out).toMatch(/Open this page on any device:\n {2}http\S+\/device\n/);
    await output.find(/The code is valid until .*\.\n/);
    sso.approve(code);
    expect(await pending).toBe(0);
    expect(sso.tokens).toMatchObject([{ user: 'alice', refreshable: true }]);
  });

  it('lets a terminal copy the code, and nothing else', async () => {
    const { sso, home } = await local();
    const terminal = new Output();
    Object.assign(terminal.stdout, { isTTY: true });
    const pending = loginTo(home, { device: true }, terminal);
    const code = await terminal.find(/type the code, or paste it:\n {2}(\S+)\n/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what a terminal obeys.
    const copied = await terminal.find(/\x1b\]52;c;([^\x07]+)\x07/);
    expect(Buffer.from(copied, 'base64').toString()).toBe(code);
    sso.approve(code);
    expect(await pending).toBe(0);
    const dumb = new Output();
    Object.assign(dumb.stdout, { isTTY: true });
    const env = { ...home.env, TERM: 'dumb' };
    const options = { profile: 'work', device: true, force: true };
    const again = runLogin(options, env, dumb, NEVER);
    sso.approve(await dumb.find(/type the code:\n {2}(\S+)\n/));
    await again;
    expect(dumb.out).not.toContain('\x1b');
  });

  it('uses a device code if no browser can be shown', async () => {
    const { sso, home } = await local();
    const output = new Output();
    const env = { ...home.env, SSH_CONNECTION: '10.0.0.1 1 10.0.0.2 22' };
    const pending = runLogin({ profile: 'work' }, env, output, NEVER);
    sso.approve(await output.find(/type the code:\n {2}(\S+)\n/));
    expect(await pending).toBe(0);
    expect(output.out).not.toContain('/authorize');
  });

  it('opens the page after it has printed the URL, and uses a device code if that fails', async () => {
    const { center, home } = await scripted();
    const output = new Output();
    const opened: string[] = [];
    const open = async (url: string) => {
      expect(await output.find(/Opening this page in your browser.*\n {2}(\S+)\n/)).toBe(url);
      opened.push(url);
      throw new Error('spawn xdg-open ENOENT');
    };
    const env = { ...home.env, ...DISPLAY, WSL_DISTRO_NAME: 'x' };
    expect(await runLogin({ profile: 'work' }, env, output, NEVER, open)).toBe(0);
    // In a container, the login uses a device code at once.
    expect(opened).toHaveLength(isBrowserUnavailable(env) ? 0 : 1);
    expect(center.to('/device_authorization')).toHaveLength(1);
  });

  it('prints one JSON object per line for scripts', async () => {
    const { sso, home } = await local();
    const output = new Output();
    const pending = loginTo(home, { device: true, json: true }, output);
    sso.approve(await output.find(/"userCode":"([^"]+)"/));
    expect(await pending).toBe(0);
    expect(output.json.filter(({ type }) => type !== 'progress')).toEqual([
      {
        type: 'code',
        userCode: expect.any(String),
        verificationUri: expect.stringMatching(/\/device$/),
        verificationUriComplete: expect.stringContaining('user_code='),
        expiresAt: expect.any(String),
      },
      {
        type: 'signed-in',
        how: 'device',
        ssoSession: 'corp',
        profile: 'work',
        startUrl: sso.startUrl,
        region: sso.region,
        until: expect.any(String),
      },
    ]);
  });

  it('exits with code 130 when it is cancelled, and leaves no token', async () => {
    const { home } = await local();
    const ending = new AbortController();
    const output = new Output();
    const pending = loginTo(home, { device: true }, output, ending.signal);
    await output.find(/The code is valid until/);
    ending.abort();
    expect(await pending).toBe(130);
    const folder = join(home.path, '.aws', 'sso', 'cache');
    const files = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
    expect(files.join()).not.toContain('accessToken');
  });

  it.each([
    [
      HOUR,
      'refresh',
      0,
      /^Signed in to SSO session "corp" until .*, then renewed automatically\n$/,
    ],
    [HOUR, undefined, 0, /^Signed in to SSO session "corp" until [\d: -]+\n$/],
    [-HOUR, 'refresh', 0, /^The login to .* expired at .* and is renewed when it is used\n$/],
    [-HOUR, undefined, 1, /expired at .*: run "agentcore-mcp login --profile work"\n$/],
    [undefined, undefined, 1, /^Not signed in to .*: run "agentcore-mcp login --profile work"\n$/],
  ])(
    'reports the state of a login that expires in %j ms',
    async (left, refresh, code, sentence) => {
      const home = new Home(CONFIG, 'http://127.0.0.1:9');
      if (left !== undefined) await home.signIn(left, refresh);
      const output = new Output();
      expect(await loginTo(home, { status: true }, output)).toBe(code);
      expect(output.out).toMatch(sentence);
    },
  );

  it('never prints a token, a secret code, or a secret', async () => {
    const { center, home } = await scripted();
    center.deviceAnswers = ['pending', 'approved'];
    center.accounts = { '111122223333': { name: 'Production', roles: ['Developer'] } };
    const outputs: Output[] = [];
    for (const json of [false, true]) {
      const browser = new Output();
      const pending = loginTo(home, { browser: false, force: true, json }, browser);
      await fetch(await browser.find(/(http:[^\s"]+\/authorize[^\s"]+)/));
      await pending;
      const device = new Output();
      await loginTo(home, { device: true, force: true, json }, device);
      const status = new Output();
      await loginTo(home, { status: true, json }, status);
      const listing = await accounts(home, { json });
      outputs.push(
        browser,
        device,
        status,
        listing.output,
        (await logoutFrom(home, { json })).output,
      );
    }
    const failing = new Output();
    center.spoil('/token', { status: 400, type: 'InvalidGrantException' });
    const pending = loginTo(home, { browser: false, force: true }, failing);
    const failure = pending.catch((thrown: Error) =>
      JSON.stringify({ ...thrown, text: String(thrown) }),
    );
    await fetch(await failing.find(/(http:\S+\/authorize\S+)/));
    const said = [...outputs, failing].map(({ out, err }) => out + err).join() + (await failure);
    expect(said).toContain('Signed in to');
    expect(said).toContain('Scripted InvalidGrantException');
    expect(center.secrets.size).toBeGreaterThan(10);
    for (const secret of center.secrets) expect(said).not.toContain(secret);
  });
});

describe('the availability of a browser', () => {
  const nothing = () => false;

  it.each([
    ['a desktop', DISPLAY, 'linux', nothing, false],
    ['Wayland', { WAYLAND_DISPLAY: 'wayland-0' }, 'linux', nothing, false],
    ['WSL', { WSL_DISTRO_NAME: 'Debian' }, 'linux', nothing, false],
    ['macOS', {}, 'darwin', nothing, false],
    ['Windows', {}, 'win32', nothing, false],
    ['no display', {}, 'linux', nothing, true],
    ['SSH', { ...DISPLAY, SSH_TTY: '/dev/pts/0' }, 'linux', nothing, true],
    ['SSH to a Mac', { SSH_CONNECTION: 'a' }, 'darwin', nothing, true],
    ['a dev container', { ...DISPLAY, REMOTE_CONTAINERS: 'true' }, 'linux', nothing, true],
    ['Docker', DISPLAY, 'linux', (path: string) => path === '/.dockerenv', true],
    ['Podman', DISPLAY, 'linux', (path: string) => path === '/run/.containerenv', true],
  ] as const)('is detected on %s', (_, env, platform, exists, expected) => {
    expect(isBrowserUnavailable(env, platform, exists)).toBe(expected);
  });
});

async function signedIn() {
  const { sso, home } = await local();
  const output = new Output();
  const pending = loginTo(home, { device: true }, output);
  sso.approve(await output.find(/type the code:\n {2}(\S+)\n/));
  await pending;
  return { sso, home };
}

describe('agentcore-mcp accounts', () => {
  it('lists accounts and their roles', async () => {
    const { home } = await signedIn();
    const { code, output } = await accounts(home, {});
    expect(code).toBe(0);
    expect(output.out).toBe(
      [
        'ACCOUNT       NAME        ROLE',
        '111122223333  Production  Developer',
        '111122223333  Production  ReadOnly',
        '444455556666  Sandbox     Admin',
        '',
      ].join('\n'),
    );
    const { output: forScripts } = await accounts(home, { json: true });
    expect(JSON.parse(forScripts.out)).toEqual({
      accounts: [
        { id: '111122223333', name: 'Production', roles: ['Developer', 'ReadOnly'] },
        { id: '444455556666', name: 'Sandbox', roles: ['Admin'] },
      ],
      problems: [],
    });
  });

  it('exits with code 1 if the roles of an account cannot be listed', async () => {
    const { center, home } = await scripted();
    center.tokens.add('access-on-file');
    center.accounts = { '111122223333': { name: 'Production', roles: ['Developer'] } };
    center.spoil('/assignment/roles', { status: 403, type: 'ForbiddenException' });
    await home.signIn(HOUR);
    const { code, output } = await accounts(home, {});
    expect(code).toBe(1);
    expect(output.out).toContain('111122223333  Production  -');
    expect(output.err).toBe(
      'Could not list the roles of 111122223333: Scripted ForbiddenException\n',
    );
  });

  it('writes a profile that works with the login', async () => {
    const { home } = await signedIn();
    const choice = { account: '444455556666', role: 'Admin', region: 'us-east-1' };
    const { code, output } = await accounts(home, { write: 'sandbox', ...choice });
    expect(code).toBe(0);
    expect(output.out).toBe(
      `Wrote profile "sandbox" to ${home.config}. Use it with AWS_PROFILE=sandbox\n`,
    );
    expect(home.read()).toContain(
      '[profile sandbox]\nsso_session = corp\nsso_account_id = 444455556666\nsso_role_name = Admin\nregion = us-east-1\n',
    );
    const status = new Output();
    expect(await loginTo(home, { profile: 'sandbox', status: true }, status)).toBe(0);
  });

  it.each([
    [{ write: 'x' }, /--account ID --role NAME/],
    [{ account: '444455556666' }, /--write NAME/],
    [{ write: 'x', account: '444455556666', role: 'Owner' }, /no role "Owner": it has Admin/],
    [{ write: 'a b', account: '444455556666', role: 'Admin' }, /profile’s name/],
    [{ write: 'work', account: '444455556666', role: 'Admin' }, /is in .* already/],
  ])('rejects %j', async (options, message) => {
    const { home } = await signedIn();
    const before = home.read();
    await expect(accounts(home, options)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringMatching(message),
    });
    expect(home.read()).toBe(before);
  });

  it('requires a new login if AWS has revoked the cached one', async () => {
    const { sso, home } = await signedIn();
    sso.revoke('alice');
    await expect(accounts(home, {})).rejects.toMatchObject({
      code: 'credentials',
      message: expect.stringContaining('run "agentcore-mcp login --profile work --force"'),
    });
  });
});

describe('agentcore-mcp logout', () => {
  it('removes the local token and ends the session at AWS', async () => {
    const { sso, home } = await signedIn();
    expect((await logoutFrom(home)).output.out).toBe('Signed out of SSO session "corp"\n');
    expect(sso.tokens).toEqual([]);
    const status = new Output();
    expect(await loginTo(home, { status: true }, status)).toBe(1);
    expect((await logoutFrom(home)).output.out).toBe('Not signed in to SSO session "corp"\n');
  });

  it('prints a warning if AWS cannot be reached', async () => {
    const { center, home } = await scripted();
    await home.signIn(HOUR);
    center.spoil('/logout', { status: 400, type: 'InvalidRequestException' });
    const { code, output } = await logoutFrom(home);
    expect(code).toBe(0);
    expect(output.err).toMatch(
      /^Could not notify AWS of the logout: .*\. The login is removed from this machine/,
    );
    expect(existsSync(join(home.path, '.aws', 'sso', 'cache'))).toBe(true);
  });
});
