import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable, Writable } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { runCli } from '../../src/cli/commands.ts';
import type { LocalOptions } from '../../src/cli/local.ts';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import { fixture, INITIALIZE, isAlive, nodeCommand, poster, read, toolCall } from './harness.ts';

const SERVER = nodeCommand('mcp-server.ts');

async function configFile(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'agentcore-local-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'agentcore-local.yaml');
  await writeFile(path, text);
  return path;
}

interface Program {
  readonly child: ChildProcess;
  readonly stderr: () => string;
  nextLine(): Promise<string>;
  /** The exit code, or the signal that ended the process. */
  exit(): Promise<number | string>;
}

function runProgram(options: LocalOptions): Program {
  const args = ['--disable-warning=ExperimentalWarning', fixture('local-program.ts')];
  const child = spawn(process.execPath, [...args, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  const exited = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string);
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[
    Symbol.asyncIterator
  ]();
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return {
    child,
    stderr: () => stderr,
    nextLine: async () => (await lines.next()).value ?? '',
    exit: () => exited,
  };
}

const CONFIG = `
runtimes:
  notes:
    command: ${JSON.stringify(SERVER)}
`;

const EVERYTHING = `
runtimes:
  notes:
    command: ${JSON.stringify(SERVER)}
    authorizer: JWT
gateways:
  tools:
    authorizer: NONE
    targets: { notes: { runtime: notes } }
oauth:
  clients:
    ci: { secret: the-secret-of-ci }
sso:
  users:
    ada: {}
    grace: {}
`;

/** The facts of a local runtime in another process that signing needs. */
async function ready(program: Program): Promise<LocalRuntime & { readonly pid: number }> {
  const line = JSON.parse(await program.nextLine());
  expect(line.event).toBe('ready');
  return {
    ...line,
    credentials: {
      accessKeyId: line.env.AWS_ACCESS_KEY_ID,
      secretAccessKey: line.env.AWS_SECRET_ACCESS_KEY,
    },
    runtime: (name: string) =>
      line.runtimes.find((runtime: { readonly name: string }) => runtime.name === name),
  };
}

async function startedSession(program: Program): Promise<number> {
  for (;;) {
    const line = JSON.parse(await program.nextLine());
    if (line.event === 'session' && line.change === 'started') return line.session.pid;
  }
}

describe('with --json', () => {
  test('the first line lists the served runtimes, and the next lines list events', async () => {
    const program = runProgram({ config: await configFile(CONFIG), port: 0, json: true });
    const local = await ready(program);
    expect(local).toMatchObject({
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      region: 'us-east-1',
      runtimes: [{ name: 'notes', protocol: 'MCP', sessions: 'stateless' }],
      env: {
        AWS_ENDPOINT_URL: local.url,
        AWS_REGION: 'us-east-1',
        AWS_DEFAULT_REGION: 'us-east-1',
      },
    });
    expect((await read(poster(local, 'notes')(INITIALIZE))).status).toBe(200);
    expect(isAlive(await startedSession(program))).toBe(true);
  });

  test('faults from the command line are active', async () => {
    const program = runProgram({
      config: await configFile(CONFIG),
      port: 0,
      json: true,
      faults: ['status=503@initialize'],
    });
    const local = await ready(program);
    expect((await read(poster(local, 'notes')(INITIALIZE))).status).toBe(503);
  });
});

describe('the text output names', () => {
  async function told(
    options: { readonly config?: string; readonly faults?: string[] },
    act: (local: LocalRuntime) => Promise<unknown>,
    sentence: RegExp,
  ): Promise<void> {
    const config = await configFile(options.config ?? CONFIG);
    const program = runProgram({ ...options, config, port: 0 });
    let text = '';
    while (!text.includes('Ctrl-C')) text += `${await program.nextLine()}\n`;
    const [, url] = /on (http:\S+)/.exec(text) ?? [];
    const [, arn] = /(arn:\S+)/.exec(text) ?? [];
    const variable = (name: string) => new RegExp(`${name}=(\\S+)`).exec(text)?.[1] ?? '';
    await act({
      region: 'us-east-1',
      credentials: {
        accessKeyId: variable('AWS_ACCESS_KEY_ID'),
        secretAccessKey: variable('AWS_SECRET_ACCESS_KEY'),
      },
      runtime: () => ({
        invocationUrl: `${url}/runtimes/${encodeURIComponent(arn ?? '')}/invocations`,
      }),
    } as unknown as LocalRuntime);
    let line = '';
    while (!sentence.test(line)) {
      line = await program.nextLine();
      if (line === '') throw new Error(`It never said ${sentence}: ${program.stderr()}`);
    }
  }

  test('the reason of a rejected signature', async () => {
    await told(
      {},
      (local) => read(poster(local, 'notes', { secretAccessKey: 'wrong' })(INITIALIZE)),
      /^notes: signature refused: the signature does not match: another secret/,
    );
  });

  test('the reason of a rejected token', async () => {
    await told(
      { config: EVERYTHING },
      (local) =>
        fetch(local.runtime('notes').invocationUrl, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{}',
        }),
      /^notes: token refused: the request carries no bearer token$/,
    );
  });

  test('the reason of denied access', async () => {
    const denied = '{ id: AKIAREADERXXXEXAMPLE, secret: s, denied: ["bedrock-agentcore:*"] }';
    await told(
      { config: `${CONFIG}\naccessKeys: [${denied}]` },
      (local) => read(poster(local, 'notes')(INITIALIZE)),
      /^notes: access denied: User: arn:\S+ is not authorized .* with an explicit deny/,
    );
  });

  test('the request that a fault affected', async () => {
    await told(
      { faults: ['status=503@tools/call:count'] },
      (local) => read(poster(local, 'notes')(toolCall('count'))),
      /^notes: fault status met tools\/call count$/,
    );
  });

  test('the exit of a container', async () => {
    await told(
      {
        config: `runtimes: { notes: { command: [${JSON.stringify(process.execPath)}, -e, 'process.exit(3)'] } }`,
      },
      (local) => read(poster(local, 'notes')(INITIALIZE)),
      /^notes: process \d+ exited by itself with code 3$/,
    );
  });
});

test('the text output contains the address, the ARNs and the environment', async () => {
  const program = runProgram({ config: await configFile(CONFIG), port: 0 });
  expect(await program.nextLine()).toMatch(/^Local AgentCore on http:\/\/127\.0\.0\.1:\d+/);
  let text = '';
  while (!text.includes('Ctrl-C')) text += `${await program.nextLine()}\n`;
  expect(text).toContain('arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/notes-');
  expect(text).toMatch(
    /For a client:\n\n {2}(unset AWS_PROFILE AWS_SESSION_TOKEN|set AWS_PROFILE=)\n/,
  );
  expect(text).toMatch(/AWS_ENDPOINT_URL=http:\/\/127\.0\.0\.1:\d+/);
});

describe('the sign-in URL is shown', () => {
  test('in the ready line, without client secrets', async () => {
    const config = await configFile(EVERYTHING);
    const line = await runProgram({ config, port: 0, json: true }).nextLine();
    const { url, ...told } = JSON.parse(line);
    expect(told).toMatchObject({
      runtimes: [{ name: 'notes', authorizer: 'JWT' }],
      gateways: [
        {
          name: 'tools',
          authorizer: 'NONE',
          url: expect.stringMatching(new RegExp(`^${url}/gateways/tools-\\w{10}/mcp$`)),
        },
      ],
      oauth: {
        issuer: `${url}/oauth`,
        discoveryUrl: `${url}/oauth/.well-known/openid-configuration`,
        tokenUrl: `${url}/oauth/token`,
        clients: ['ci'],
      },
      sso: { startUrl: `${url}/start`, region: 'us-east-1', users: ['ada', 'grace'] },
    });
    expect(line).not.toContain('the-secret-of-ci');
  });

  test('in the text output, without sections that are not configured', async () => {
    const textOf = async (config: string) => {
      const program = runProgram({ config: await configFile(config), port: 0 });
      let text = '';
      while (!text.includes('Ctrl-C')) text += `${await program.nextLine()}\n`;
      return text;
    };
    const text = await textOf(EVERYTHING);
    expect(text).toMatch(/notes \(MCP, stateless, JWT\)\n/);
    expect(text).toMatch(/tools \(gateway, NONE\)\n {4}http:\S+\/mcp\n/);
    expect(text).toMatch(/SSO, as ada or grace:\n\n {2}sso_start_url = http:\S+\/start\n/);
    expect(text).toMatch(/OAuth, as ci:\n\n {2}token URL http:\S+\/oauth\/token\n/);
    expect(text).not.toContain('the-secret-of-ci');
    expect(await textOf(CONFIG)).not.toMatch(/SSO|OAuth|gateway/);
  });
});

describe('leaves no container behind', () => {
  test.each([
    ['SIGINT', 0],
    ['SIGTERM', 0],
    // The program cannot react to SIGKILL. The orphan guard stops the containers.
    ['SIGKILL', 'SIGKILL'],
  ] as const)('on %s', async (signal, exit) => {
    const program = runProgram({ config: await configFile(CONFIG), port: 0, json: true });
    const local = await ready(program);
    const answer = read(poster(local, 'notes')(INITIALIZE));
    const pid = await startedSession(program);
    await answer;
    program.child.kill(signal);
    expect(await program.exit()).toBe(exit);
    await expect.poll(() => isAlive(pid)).toBe(false);
  });
});

const SLOW_TO_END = `
runtimes:
  slow:
    protocol: HTTP
    command: ${JSON.stringify([process.execPath, fixture('slow-to-end-agent.mjs')])}
    warm: 1
`;

describe('shuts down in order', () => {
  test.skipIf(process.platform === 'win32')('when a signal arrives twice at once', async () => {
    const program = runProgram({ config: await configFile(SLOW_TO_END), port: 0, json: true });
    await ready(program);
    program.child.kill('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 50));
    program.child.kill('SIGTERM');
    expect(await program.exit()).toBe(0);
    expect(program.stderr()).toContain('ended in order');
  });

  test('when the reader of its output is gone', async () => {
    const program = runProgram({ config: await configFile(SLOW_TO_END), port: 0, json: true });
    const local = await ready(program);
    program.child.stdout?.destroy();
    // The next output detects the closed pipe.
    void read(poster(local, 'slow')({})).catch(() => {});
    expect(await program.exit()).toBe(0);
    expect(program.stderr()).toContain('ended in order');
  });

  test.skipIf(process.platform === 'win32')('when its parent was killed', async () => {
    const options = { config: await configFile(SLOW_TO_END), port: 0, json: true };
    const parent = spawn(process.execPath, [
      '--disable-warning=ExperimentalWarning',
      fixture('parent-of-local-program.ts'),
      '--disable-warning=ExperimentalWarning',
      fixture('local-program.ts'),
      JSON.stringify(options),
    ]);
    const pids: number[] = [];
    onTestFinished(() => {
      parent.kill('SIGKILL');
      for (const pid of pids.filter(isAlive)) process.kill(pid, 'SIGKILL');
    });
    for await (const line of createInterface({ input: parent.stdout })) {
      const { event, pid } = JSON.parse(line);
      if (event === 'ready' || event === 'container-started') pids.push(pid);
      if (pids.length === 2) break;
    }
    expect(pids.map(isAlive)).toEqual([true, true]);
    parent.kill('SIGKILL');
    await expect.poll(() => pids.map(isAlive)).toEqual([false, false]);
  });
});

test('the first line is the ready line even if warm containers start before it', async () => {
  const program = runProgram({ config: await configFile(SLOW_TO_END), port: 0, json: true });
  await ready(program);
  const events = [await program.nextLine(), await program.nextLine()];
  expect(events.map((line) => JSON.parse(line).event)).toEqual([
    'container-started',
    'container-warm',
  ]);
});

test('the help shows no empty defaults', async () => {
  let help = '';
  const output = new Writable({
    write(chunk, _, done) {
      help += chunk;
      done();
    },
  });
  const streams = { stdin: Readable.from([]), stdout: output, stderr: output };
  expect(await runCli(['node', 'cli', 'local', '--help'], {}, streams)).toBe(0);
  expect(help).toContain('--fault <rule>');
  expect(help).not.toContain('[]');
});

describe('exits with code 2 and the position if', () => {
  test.each([
    [
      'runtimes:\n  a:\n    command: [x]\n    idleTimout: 3\n',
      ':4:5: runtimes.a.idleTimout: unknown setting',
    ],
    ['runtimes:\n  a:\n    command: []\n', ':3:14: runtimes.a.command: '],
    ['runtimes:\n  a:\n    command: [x]\n    protocol: HTP\n', ':4:15: runtimes.a.protocol: '],
    [
      'runtimes:\n  a:\n    command: [x]\n    switches: { stopBy: x }\n',
      ':4:25: runtimes.a.switches.stopBy: ',
    ],
    ['runtimes:\n  a: [\n', ':3:1: '],
    ['region: 5\nruntimes: {}\n', ':1:9: region: '],
    [
      'runtimes:\n  a:\n    command: node server.mjs\n',
      ':3:14: runtimes.a.command: expected a list of the program and its arguments, such as [node',
    ],
    ['{"runtimes": {"a": {}}}', ':1:20: runtimes.a.command: expected a list'],
    [
      'runtimes:\n  a:\n    command: [x]\n    idleTimeout: 2592000\n',
      ':4:18: runtimes.a.idleTimeout: 2147483 seconds (24 days) at most',
    ],
    [
      'runtimes: {}\nswitches: { cutSilentStreamsAfter: 2147483648 }\n',
      ':2:36: switches.cutSilentStreamsAfter: 2147483647 milliseconds (24 days) at most',
    ],
    [
      'runtimes:\n  a:\n    command: [x]\n    cwd: nowhere\n',
      ':4:10: runtimes.a.cwd: no such folder: /',
    ],
    [
      'runtimes:\n  my-server:\n    command: [x]\n',
      ':3:5: runtimes.my-server: a name begins with a letter, and has letters, digits and _, 48 at most',
    ],
    ['account: 123456789012\nruntimes: {}\n', ':1:10: account: twelve digits, in quotes'],
    [
      'runtimes: {}\nswitches: { notificationStatus: 200 }\n',
      ':2:33: switches.notificationStatus: 202, 204 or container',
    ],
    ['region: us-east-1\n', ':1:1: runtimes: missing: name a runtime here, and its command'],
    [
      'runtimes:\n  a:\n    command: [x]\nfaults:\n  - { kind: reset, runtime: b }\n',
      ':5:29: faults.0.runtime: no runtime has this name, only a',
    ],
  ])('the file %j is wrong', async (text, where) => {
    const program = runProgram({ config: await configFile(text), port: 0 });
    expect(await program.exit()).toBe(2);
    expect(program.stderr()).toContain(`agentcore-local.yaml${where}`);
  });

  test('the file does not exist', async () => {
    const program = runProgram({ config: '/nowhere/agentcore-local.yaml' });
    expect(await program.exit()).toBe(2);
    expect(program.stderr()).toContain('/nowhere/agentcore-local.yaml: there is no such file');
  });

  test('the default file does not exist', async () => {
    const program = runProgram({});
    expect(await program.exit()).toBe(2);
    expect(program.stderr()).toMatch(/no agentcore-local\.yaml in this folder.*--config/);
    expect(program.stderr()).toContain('docs/local-runtime.md');
  });

  test('a fault names an unknown runtime', async () => {
    const program = runProgram({
      config: await configFile(CONFIG),
      port: 0,
      faults: ['{"kind":"reset","runtime":"others"}'],
    });
    expect(await program.exit()).toBe(2);
    expect(program.stderr()).toContain('no runtime has this name, only notes');
  });

  test('a fault is invalid', async () => {
    const program = runProgram({ config: await configFile(CONFIG), faults: ['explode'] });
    expect(await program.exit()).toBe(2);
    expect(program.stderr()).toContain('Not a fault');
  });
});

test('exits with code 1 if the port is in use', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
  });
  const { port } = server.address() as { readonly port: number };
  const program = runProgram({ config: await configFile(CONFIG), port });
  expect(await program.exit()).toBe(1);
  expect(program.stderr()).toContain(`Could not listen on 127.0.0.1:${port}: another program`);
});
