import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { LocalEvent } from '../../src/local/core/events.ts';
import { MAX_WAIT_MS } from '../fixtures/bounds.ts';
import {
  fixture,
  httpAgent,
  INITIALIZE,
  INVENTED_ID,
  isAlive,
  nodeCommand,
  openSession,
  poster,
  RUNTIME_SESSION,
  read,
  signingFetch,
  start,
  statefulMcp,
  statelessMcp,
  toolCall,
  toolText,
} from './harness.ts';
import { ManualClock } from './manual-clock.ts';

const COUNT = toolCall('count');
const SECOND = 1000;

describe('an idle session', () => {
  test('stops after its idle timeout, which every invocation restarts', async () => {
    const clock = new ManualClock();
    const local = await start({ notes: statefulMcp({ idleTimeout: 60 }) }, {}, { clock });
    const at = () => ({ at: new Date(clock.now()) });
    const session = await openSession(poster(local, 'notes', at()));
    clock.advance(59 * SECOND);
    expect(toolText(await read(poster(local, 'notes', at())(COUNT, session)))).toBe('1');
    clock.advance(59 * SECOND);
    expect(local.sessions()).toMatchObject([{ state: 'Idle' }]);
    const { pid } = local.sessions()[0] ?? {};
    clock.advance(SECOND);
    await local.until(() => local.sessions()[0]?.pid === undefined);
    expect(local.sessions()).toMatchObject([{ state: 'Stopped', why: 'idle-timeout' }]);
    expect(isAlive(pid)).toBe(false);
  });

  test('stays while a call is open', async () => {
    const clock = new ManualClock();
    const local = await start({ notes: statefulMcp({ idleTimeout: 60 }) }, {}, { clock });
    const post = poster(local, 'notes', { at: new Date(clock.now()) });
    const session = await openSession(post);
    const leave = new AbortController();
    const open = post(toolCall('hang'), session, { signal: leave.signal });
    open.catch(() => {});
    await local.until(() => local.sessions()[0]?.inFlight === 1);
    clock.advance(120 * SECOND);
    expect(local.sessions()).toMatchObject([{ state: 'Active' }]);
    leave.abort();
    await local.until(() => local.sessions()[0]?.state === 'Idle');
    clock.advance(60 * SECOND);
    await local.until(() => local.sessions()[0]?.state === 'Stopped');
  });

  test('stays while its HTTP agent reports HealthyBusy', async () => {
    const clock = new ManualClock();
    const changes: string[] = [];
    const local = await start(
      { agent: httpAgent({ idleTimeout: 60 }) },
      {},
      { clock, listener: (event) => event.type === 'session' && changes.push(event.change) },
    );
    const id = { [RUNTIME_SESSION]: INVENTED_ID };
    const post = (payload: unknown) =>
      read(poster(local, 'agent', { at: new Date(clock.now()) })(payload, id));
    await post({ busy: true });
    clock.advance(60 * SECOND);
    await local.until(() => changes.includes('kept-busy'));
    await post({ busy: false });
    expect(local.sessions()).toMatchObject([{ state: 'Idle', incarnations: 1, invocations: 2 }]);
    clock.advance(60 * SECOND);
    await local.until(() => local.sessions()[0]?.why === 'idle-timeout');
  });
});

test('a session stops at its maximum lifetime, even during a call', async () => {
  const clock = new ManualClock();
  const local = await start({ notes: statefulMcp({ maxLifetime: 100 }) }, {}, { clock });
  const post = poster(local, 'notes', { at: new Date(clock.now()) });
  const session = await openSession(post);
  const open = read(post(toolCall('hang'), session));
  await local.until(() => local.sessions()[0]?.inFlight === 1);
  clock.advance(100 * SECOND);
  expect((await open).json.error?.code).toBe(-32010);
  await local.until(() => local.sessions()[0]?.pid === undefined);
  expect(local.sessions()).toMatchObject([{ state: 'Stopped', why: 'max-lifetime' }]);
});

test('an HTTP session keeps its memory, and restarts without it', async () => {
  const local = await start({ agent: httpAgent() });
  const post = poster(local, 'agent');
  const id = { [RUNTIME_SESSION]: INVENTED_ID };
  await read(post({}, id));
  expect((await read(post({}, id))).json).toMatchObject({ invocations: 2, session: INVENTED_ID });
  await local.killMicroVm(INVENTED_ID);
  expect((await read(post({}, id))).json.invocations).toBe(1);
});

test('an HTTP request without an id gets a session, whose id can be used afterwards', async () => {
  const local = await start({ agent: httpAgent() });
  const post = poster(local, 'agent');
  const { headers } = await read(post({}));
  const id = headers.get(RUNTIME_SESSION) ?? '';
  expect(id).toMatch(/^[a-zA-Z0-9][a-zA-Z0-9-_]{32,99}$/);
  expect((await read(post({}, { [RUNTIME_SESSION]: id }))).json.invocations).toBe(2);
});

describe('a container that exits', () => {
  test('fails the open call and ends its session', async () => {
    const local = await start({ notes: statefulMcp() });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    const sent = await read(post(toolCall('crash'), session));
    expect(sent).toMatchObject({ status: 200, json: { error: { code: -32010 } } });
    await local.until(() => local.sessions()[0]?.state === 'Stopped');
    expect(local.sessions()).toMatchObject([{ why: 'container-exited', pid: undefined }]);
    expect((await read(post(COUNT, session))).status).toBe(404);
  });

  test('is restarted on the next request if the switch is set', async () => {
    const local = await start({
      notes: statelessMcp({ switches: { exitedContainer: 'restarts' } }),
    });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    const exits: LocalEvent[] = [];
    local.on((event) => {
      if (event.type === 'container-exited') exits.push(event);
    });
    await read(post(toolCall('crash'), session));
    await local.until(() => exits.length === 1);
    expect(exits).toMatchObject([{ code: 3, runtime: 'notes' }]);
    expect(local.sessions()).toMatchObject([{ state: 'Idle' }]);
    expect(toolText(await read(post(COUNT, session)))).toBe('1');
  });
});

describe('a session that is stopped while its container starts', () => {
  test('ends, even if another caller has the container replaced', async () => {
    const local = await start({ notes: statelessMcp() });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    const id = session['mcp-session-id'];
    await local.killMicroVm(id);
    const starts = new Promise<void>((resolve) => {
      local.on((event) => {
        if (event.type === 'session' && event.change === 'starting') resolve();
      });
    });
    const call = read(post(COUNT, session));
    await starts;
    const replaced = local.restartContainer(id);
    await local.killMicroVm(id);
    await Promise.all([call, replaced]);
    expect(local.sessions()).toMatchObject([{ state: 'Stopped', why: 'microvm-killed' }]);
    expect(local.containers).toBe(0);
  });
});

describe('a container that does not start', () => {
  test.each([
    ['exits', ['-e', 'console.error("no such module"); process.exit(1)']],
    ['never listens', ['-e', 'console.error("no such module"); setInterval(() => {}, 1000)']],
  ])('because it %s is reported as failed, with its last output', async (_, args) => {
    const events: LocalEvent[] = [];
    const command = [process.execPath, ...args];
    const local = await start(
      {
        // Long enough for a busy machine to start Node and print the line.
        notes: { command, initializationTimeout: 3 },
        agent: { command, protocol: 'HTTP', initializationTimeout: 3 },
      },
      {},
      { listener: (event) => events.push(event) },
    );
    expect((await read(poster(local, 'notes')(INITIALIZE))).json.error?.code).toBe(-32010);
    expect(await read(poster(local, 'agent')({}))).toMatchObject({
      status: 424,
      json: { message: expect.stringContaining('Runtime initialization time exceeded') },
    });
    expect(events.filter(({ type }) => type === 'container-failed')).toMatchObject([
      { runtime: 'notes', output: 'no such module' },
      { runtime: 'agent', output: 'no such module' },
    ]);
    expect(local.sessions()).toMatchObject([
      { state: 'Stopped', why: 'start-failed', pid: undefined },
      { state: 'Stopped', why: 'start-failed', pid: undefined },
    ]);
  });

  test('because of a missing program is reported as failed', async () => {
    const local = await start({ notes: { command: ['there-is-no-such-program'] } });
    expect((await read(poster(local, 'notes')(INITIALIZE))).json.error?.code).toBe(-32010);
  });
});

describe('starting a container', () => {
  test('takes the configured cold start time', async () => {
    const clock = new ManualClock();
    const local = await start({ notes: statelessMcp({ coldStart: 5000 }) }, {}, { clock });
    const answer = read(poster(local, 'notes', { at: new Date(clock.now()) })(INITIALIZE));
    await local.until(() => local.requests.length === 1 && local.sessions().length === 1);
    expect(local.sessions()).toMatchObject([{ pid: undefined, inFlight: 1 }]);
    clock.advance(5000);
    expect((await answer).status).toBe(200);
  });

  test('takes no time if a warm microVM is ready, and a new one replaces it', async () => {
    const started: (number | undefined)[] = [];
    const local = await start(
      { notes: statelessMcp({ warm: 1, coldStart: 0 }) },
      {},
      { listener: (event) => event.type === 'container-started' && started.push(event.pid) },
    );
    expect(started).toHaveLength(1);
    await read(poster(local, 'notes')(INITIALIZE));
    expect(local.sessions()[0]?.pid).toBe(started[0]);
    await local.until(() => started.length === 2);
  });

  test('in a missing folder fails with the name of the folder, not of the program', async () => {
    const outputs: string[] = [];
    const local = await start(
      { notes: statelessMcp({ cwd: '/nowhere/at/all' }) },
      {},
      { listener: (event) => event.type === 'container-failed' && outputs.push(event.output) },
    );
    await read(poster(local, 'notes')(INITIALIZE));
    expect(outputs).toEqual(['no such folder: /nowhere/at/all']);
  });

  test('counts the warm microVMs that are already starting', async () => {
    const counts = { 'container-started': 0, 'container-warm': 0 };
    const local = await start(
      { notes: statelessMcp({ warm: 2 }) },
      {},
      {
        listener: ({ type }) => {
          if (type === 'container-started' || type === 'container-warm') counts[type] += 1;
        },
      },
    );
    expect(counts).toEqual({ 'container-started': 2, 'container-warm': 2 });
    const post = poster(local, 'notes');
    await Promise.all([read(post(INITIALIZE)), read(post(INITIALIZE))]);
    await local.until(() => counts['container-warm'] >= 4);
    expect(counts).toEqual({ 'container-started': 4, 'container-warm': 4 });
  });
});

test('the platform pings a new container if the switch is set', async () => {
  const local = await start({ notes: statelessMcp({ switches: { platformPing: true } }) });
  const post = poster(local, 'notes');
  const session = await openSession(post);
  const asked = async () => JSON.parse(toolText(await read(post(toolCall('report'), session))));
  await expect.poll(async () => (await asked()).methods).toContain('ping');
});

test('the command gets its port in its arguments and its environment', async () => {
  const code = `
    const { createServer } = require('node:http');
    const told = [process.argv[1], process.env.MY_PORT, process.env.PORT, process.env.HOST];
    createServer((_, response) => response.end(JSON.stringify({ message: told.join(' ') }))).listen(Number(process.argv[1]), '127.0.0.1');`;
  const local = await start({
    agent: {
      protocol: 'HTTP',
      command: [process.execPath, '-e', code, '{port}'],
      env: { MY_PORT: 'p{port}' },
    },
  });
  const { json } = await read(poster(local, 'agent')({}));
  const { port } = local.sessions()[0] ?? {};
  expect(json.message).toBe(`${port} p${port} ${port} 127.0.0.1`);
});

describe('closing', () => {
  test('stops every container, also those that ignore SIGTERM, and their child processes', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'agentcore-local-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const pidFile = join(folder, 'pid');
    await writeFile(pidFile, '');
    const local = await start({
      stubborn: {
        command: [process.execPath, fixture('stubborn-agent.mjs'), pidFile],
        protocol: 'HTTP',
        stopGrace: 50,
      },
      notes: statelessMcp({ warm: 1 }),
    });
    await read(poster(local, 'stubborn')({}));
    await read(poster(local, 'notes')(INITIALIZE));
    const pids = [
      ...local.sessions().map(({ pid }) => pid),
      Number(await readFile(pidFile, 'utf8')),
    ];
    expect(pids.map(isAlive)).toEqual([true, true, true]);
    await local.close();
    await expect.poll(() => pids.map(isAlive)).toEqual([false, false, false]);
    expect(local.sessions()).toMatchObject([
      { state: 'Stopped', why: 'shutdown', pid: undefined },
      { state: 'Stopped', why: 'shutdown', pid: undefined },
    ]);
  });

  test('ends open calls', async () => {
    const local = await start({ notes: statelessMcp() });
    const open = poster(local, 'notes')(toolCall('hang'));
    await local.until(() => local.sessions()[0]?.inFlight === 1);
    await Promise.all([expect(open).rejects.toThrow(), local.close()]);
  });

  test('lets its program exit', async () => {
    const [program = '', ...args] = [
      ...nodeCommand('start-and-close.ts'),
      fixture('mcp-server.ts'),
    ];
    const { stdout } = await promisify(execFile)(program, args, { timeout: MAX_WAIT_MS });
    expect(stdout).toBe('closed');
  });

  test('leaves no container behind if one is starting', async () => {
    const started: (number | undefined)[] = [];
    const local = await start(
      { notes: statelessMcp() },
      {},
      { listener: (event) => event.type === 'container-started' && started.push(event.pid) },
    );
    const open = poster(local, 'notes')(INITIALIZE);
    open.catch(() => {});
    await local.until(() => started.length === 1);
    await local.close();
    expect(isAlive(started[0])).toBe(false);
  });
});

test('a stop is rejected while the session starts', async () => {
  const local = await start({ notes: statelessMcp({ coldStart: 300 }) });
  const post = poster(local, 'notes');
  const opening = read(post(INITIALIZE, { [RUNTIME_SESSION]: INVENTED_ID }));
  await local.until(() => local.sessions().length === 1);
  const url = local.runtime('notes').invocationUrl.replace('/invocations', '/stopruntimesession');
  const stop = await read(
    signingFetch(local)(url, { method: 'POST', headers: { [RUNTIME_SESSION]: INVENTED_ID } }),
  );
  expect(stop.status).toBe(409);
  expect(stop.headers.get('x-amzn-errortype')).toBe('RetryableConflictException');
  expect((await opening).status).toBe(200);
});
