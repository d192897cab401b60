import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import type { LocalOptions } from '../../src/programs/run-local.ts';
import { fixture, INITIALIZE, isAlive, nodeCommand, poster, read } from './harness.ts';

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
  /** Its exit code, or the signal that ended it. */
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

/** Enough of a local runtime in another process to sign requests to it. */
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
  test('one line says what is served, the next ones what happens', async () => {
    const program = runProgram({ config: await configFile(CONFIG), port: 0, json: true });
    const local = await ready(program);
    expect(local).toMatchObject({
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      region: 'us-east-1',
      runtimes: [{ name: 'notes', protocol: 'MCP', sessions: 'stateless' }],
      env: { AWS_ENDPOINT_URL: local.url, AWS_REGION: 'us-east-1' },
    });
    expect((await read(poster(local, 'notes')(INITIALIZE))).status).toBe(200);
    expect(isAlive(await startedSession(program))).toBe(true);
  });

  test('faults of the command line are waiting', async () => {
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

test('for people it prints the address, the ARNs and the environment', async () => {
  const program = runProgram({ config: await configFile(CONFIG), port: 0 });
  expect(await program.nextLine()).toMatch(/^Local AgentCore on http:\/\/127\.0\.0\.1:\d+/);
  let text = '';
  while (!text.includes('Ctrl-C')) text += `${await program.nextLine()}\n`;
  expect(text).toContain('arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/notes-');
  expect(text).toMatch(/AWS_ENDPOINT_URL=http:\/\/127\.0\.0\.1:\d+/);
});

describe('leaves no container behind', () => {
  test.each([
    ['SIGINT', 0],
    ['SIGTERM', 0],
    // It can do nothing itself then: the guard does.
    ['SIGKILL', 'SIGKILL'],
  ] as const)('on %s', async (signal, exit) => {
    const program = runProgram({ config: await configFile(CONFIG), port: 0, json: true });
    const local = await ready(program);
    const answer = read(poster(local, 'notes')(INITIALIZE));
    const pid = await startedSession(program);
    await answer;
    program.child.kill(signal);
    expect(await program.exit()).toBe(exit);
    await expect.poll(() => isAlive(pid), { timeout: 5000 }).toBe(false);
  });
});

describe('ends with 2 and says where', () => {
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
    ['{"runtimes": {"a": {}}}', ':1:20: runtimes.a.command: '],
  ])('the file %j is wrong', async (text, where) => {
    const program = runProgram({ config: await configFile(text), port: 0 });
    expect(await program.exit()).toBe(2);
    expect(program.stderr()).toContain(`agentcore-local.yaml${where}`);
  });

  test('that there is no file', async () => {
    const program = runProgram({ config: '/nowhere/agentcore-local.yaml' });
    expect(await program.exit()).toBe(2);
    expect(program.stderr()).toContain('Could not read /nowhere/agentcore-local.yaml');
  });

  test('that a fault is none', async () => {
    const program = runProgram({ config: await configFile(CONFIG), faults: ['explode'] });
    expect(await program.exit()).toBe(2);
    expect(program.stderr()).toContain('Not a fault');
  });
});

test('ends with 1 where the port is taken', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
  });
  const { port } = server.address() as { readonly port: number };
  const program = runProgram({ config: await configFile(CONFIG), port });
  expect(await program.exit()).toBe(1);
  expect(program.stderr()).toContain(`Could not listen on 127.0.0.1:${port}`);
});
