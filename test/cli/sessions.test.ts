import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { RuntimeInput } from '../../src/local/config/schema.ts';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import type { SessionInfo } from '../../src/sessions/session-info.ts';
import type { JournalRecord, SessionStarted } from '../../src/state/journal/records.ts';
import { MAX_WAIT_MS } from '../fixtures/bounds.ts';
import { type CliResult, runCli, startCli } from '../fixtures/cli-process.ts';
import { proxyTo, running } from '../fixtures/proxied-runtime.ts';
import { within } from '../fixtures/running.ts';
import { ago, StateFolder, started } from '../fixtures/written-journal.ts';
import {
  httpAgent,
  isAlive,
  RUNTIME_SESSION,
  read,
  signingFetch,
  start,
  statelessMcp,
} from '../local/harness.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Keys of an unrelated account, which must not affect the list. */
const KEYS = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'example' };

function sessions(
  state: StateFolder,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = KEYS,
): Promise<CliResult> {
  return runCli(['sessions', ...args], { AGENTCORE_STATE_DIR: state.path, ...env });
}

async function entriesOf(
  state: StateFolder,
  env?: Readonly<Record<string, string>>,
): Promise<SessionInfo[]> {
  const { stdout, code } = await sessions(state, ['list', '--json'], env);
  expect(code).toBe(0);
  return JSON.parse(stdout);
}

function identified(session: string, returnedId: string): JournalRecord {
  return { type: 'session.identified', at: ago(MINUTE), session, returnedId };
}

function stopped(session: string, at: string): JournalRecord {
  return { type: 'session.stopped', at, session, wasGone: false };
}

describe('agentcore-mcp sessions', () => {
  it('explains itself if there are no sessions', async () => {
    const { code, stdout } = await sessions(new StateFolder());
    expect(code).toBe(0);
    expect(stdout).toMatch(/^There are no sessions\. /);
  });

  it('lists sessions that may be billed and those that ended within a day', async () => {
    const state = new StateFolder();
    state.write({ records: [started('11111111-dead', ago(5 * MINUTE))] });
    state.write({ program: 'alive', records: [started('22222222-live', ago(4 * MINUTE))] });
    state.write({
      records: [started('33333333-done', ago(3 * HOUR)), stopped('33333333-done', ago(2 * HOUR))],
    });
    state.write({
      records: [started('44444444-past', ago(30 * HOUR)), stopped('44444444-past', ago(29 * HOUR))],
    });
    const { code, stdout, stderr } = await sessions(state);
    expect(code).toBe(0);
    expect(stderr).toBe('');
    const rows = stdout.split('\n').slice(0, 4);
    expect(rows.map((row) => row.split(/ {2,}/).slice(0, 4))).toEqual([
      ['ID', 'STATE', 'RUNTIME', 'AGE'],
      ['22222222', 'idle', 'weather-abcdefghij', '4 m'],
      ['11111111', 'orphaned', 'weather-abcdefghij', '5 m'],
      ['33333333', 'stopped', 'weather-abcdefghij', '15 m'],
    ]);
    const columns = rows.map((row) =>
      row.indexOf(row === rows[0] ? 'STATE' : (row.split(/ +/)[1] ?? '')),
    );
    expect(new Set(columns).size).toBe(1);
    expect(stdout).toMatch(/^2 sessions may be billed: \S+ – \S+ so far/m);
    expect(stdout).toContain('sessions stop --orphaned');
    expect(stdout).toMatch(/^11111111: id unknown, may be billed until /m);
    expect(stdout).toMatch(/^1 older one not shown/m);
    expect(stdout).not.toContain('44444444');
    expect((await sessions(state, ['list', '--all'])).stdout).toContain('44444444');
  });

  it('prints all sessions for scripts', async () => {
    const state = new StateFolder();
    state.write({ records: [started('1', ago(30 * HOUR)), stopped('1', ago(29 * HOUR))] });
    state.write({ records: [started('2', ago(5 * MINUTE))] });
    const [newest, oldest] = await entriesOf(state);
    expect(newest).toMatchObject({
      id: '2',
      state: 'orphaned',
      mayBill: true,
      startedAt: expect.stringMatching(/^\d{4}-.*Z$/),
      mayBillUntil: expect.stringMatching(/^\d{4}-.*Z$/),
      idleLeft: expect.any(Number),
      cost: { least: expect.any(Number), most: expect.any(Number) },
      programs: [{ program: 'proxy', liveness: 'dead', pid: expect.any(Number) }],
      lifecycle: { source: 'assumed' },
    });
    expect(newest?.idleLeft).toBeGreaterThan(9 * MINUTE);
    expect(newest?.idleLeft).toBeLessThanOrEqual(10 * MINUTE);
    expect(oldest).toMatchObject({ id: '1', state: 'stopped', mayBill: false });
  });

  it('reads the timeouts from the runtime', async () => {
    const local = await start({ agent: httpAgent({ idleTimeout: 120, maxLifetime: 3600 }) });
    const state = new StateFolder();
    state.write({ records: [started('1', ago(3 * MINUTE), placeOf(local))] });
    // A listing waits only a few seconds for the timeouts, and the next one tries again.
    const listed = (folder: StateFolder) => expect.poll(() => entriesOf(folder, local.env));
    await listed(state).toMatchObject([
      {
        state: 'expired',
        lifecycle: { idleTimeout: 120_000, maxLifetime: 3_600_000, source: 'runtime' },
      },
    ]);
    const stopAsking = local.faults.inject({
      operation: 'control',
      kind: 'platform-error',
      error: 'access-denied',
      times: 'always',
    });
    const fresh = new StateFolder();
    fresh.write({ records: [started('1', ago(3 * MINUTE), placeOf(local))] });
    await listed(fresh).toMatchObject([{ state: 'orphaned', lifecycle: { source: 'assumed' } }]);
    expect(stopAsking.hits).toBeLessThanOrEqual(1);
  });

  it('shows one session by a prefix of the proxy’s id or of the runtime’s id', async () => {
    const state = new StateFolder();
    const begun = started('abcd1234-0001', ago(5 * MINUTE));
    state.write({ records: [begun, identified('abcd1234-0001', 'returned-id')] });
    state.write({ records: [started('abff1234-0001', ago(4 * MINUTE))] });
    for (const id of ['abcd', 'abcd1234-0001', begun.runtimeSessionId, 'returned-id']) {
      const { code, stdout } = await sessions(state, ['show', id]);
      expect(code).toBe(0);
      expect(stdout).toMatch(/^Session abcd1234-0001\n/);
      expect(stdout).toMatch(/Session id returned {2}returned-id/);
      expect(stdout).toMatch(/abcd1234 {2}session known as runtime session returned-id/);
      expect(stdout).not.toContain('abff');
    }
    const { stdout } = await sessions(state, ['show', 'abff', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      id: 'abff1234-0001',
      records: [{ type: 'session.started' }],
    });
  });

  it.each([
    [['show', 'nobody'], /No session on record is "nobody"/],
    [['show', 'ab'], /"ab" may be any of abff1234 of .*, abcd1234 of /],
    [['show'], /missing required argument/],
    [['stop'], /Name sessions by their ids, or give --all or --orphaned/],
    [['stop', 'abcd', '--all'], /Name sessions by their ids, or give --all or --orphaned/],
    [['stop', 'abcd', 'nobody'], /No session on record is "nobody"/],
    [['prune', '--older-than', 'soon'], /number of days/],
    [['fly'], /too many arguments|unknown command/],
  ])('exits with code 2 if it is called with %j', async (args, sentence) => {
    const state = new StateFolder();
    state.write({ records: [started('abcd1234-0001', ago(5 * MINUTE))] });
    state.write({ records: [started('abff1234-0001', ago(4 * MINUTE))] });
    const { code, stderr, stdout } = await sessions(state, args);
    expect(code).toBe(2);
    expect(stderr).toMatch(sentence);
    expect(stdout).toBe('');
  });

  it('dismisses orphaned sessions, and no others', async () => {
    const state = new StateFolder();
    state.write({ program: 'dead', records: [started('orphan-1', ago(MINUTE))] });
    state.write({ program: 'alive', records: [started('wanted-1', ago(MINUTE))] });
    const refused = await sessions(state, ['dismiss', 'wanted-1', 'orphan-1']);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/only orphaned sessions can be dismissed. Stop it instead/);
    expect(await entriesOf(state)).toHaveLength(2);
    const { code, stdout } = await sessions(state, ['dismiss', '--orphaned']);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: 'orphan-1 on weather-abcdefghij: dismissed\n',
    });
    expect((await entriesOf(state)).map(({ id }) => id)).toEqual(['wanted-1']);
  });

  it('records one event in the log if two programs recorded the session', async () => {
    const state = new StateFolder();
    for (const id of ['first', 'second']) {
      const session = started(id, ago(MINUTE), { runtimeSessionId: 'shared'.padEnd(40, '-') });
      state.write({ program: 'dead', records: [session] });
    }
    expect(await entriesOf(state)).toHaveLength(1);
    await sessions(state, ['dismiss', '--orphaned']);
    expect(await entriesOf(state)).toEqual([]);
    const { stdout } = await runCli(['log'], { AGENTCORE_STATE_DIR: state.path, ...KEYS });
    expect(stdout.match(/session dismissed/g)).toHaveLength(1);
  });

  it('shows a dismissed session with its records', async () => {
    const state = new StateFolder();
    state.write({ program: 'dead', records: [started('orphan-1', ago(MINUTE))] });
    await sessions(state, ['dismiss', 'orphan-1']);
    const { code, stdout } = await sessions(state, ['show', 'orphan-1']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Session orphan-1\n/);
    expect(stdout).toMatch(/session dismissed\n$/);
  });

  it('keeps the records of a dismissed session in its log', async () => {
    const state = new StateFolder();
    state.write({ program: 'dead', records: [started('orphan-1', ago(MINUTE))] });
    await sessions(state, ['dismiss', 'orphan-1']);
    const { code, stdout } = await runCli(['log', '--session', 'orphan-1'], {
      AGENTCORE_STATE_DIR: state.path,
      ...KEYS,
    });
    expect(code).toBe(0);
    expect(stdout.trim().split('\n')).toEqual([
      expect.stringContaining('session started'),
      expect.stringMatching(/session dismissed$/),
    ]);
  });

  it('prunes files that no possibly running session needs', async () => {
    const state = new StateFolder();
    const past = new Date(Date.now() - 48 * HOUR);
    const over = state.write({
      heartbeatAt: past,
      records: [started('1', ago(49 * HOUR)), stopped('1', ago(48 * HOUR))],
    });
    const recent = state.write({ records: [started('2', ago(HOUR)), stopped('2', ago(HOUR))] });
    const running = state.write({ heartbeatAt: past, records: [started('3', ago(5 * MINUTE))] });
    const { code, stdout } = await sessions(state, ['prune']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Removed \S+\.jsonl\n1 removed; /);
    expect([over, recent, running].map((path) => existsSync(path))).toEqual([false, true, true]);
    const again = await sessions(state, ['prune', '--older-than', '0', '--json']);
    expect(JSON.parse(again.stdout)).toMatchObject({ removed: [recent] });
    expect(existsSync(running)).toBe(true);
  });
});

/** The runtime and endpoint of sessions of the local runtime's `agent`. */
function placeOf(local: LocalRuntime): Partial<SessionStarted> {
  return { runtime: local.runtime('agent').arn, endpoint: `${local.url}/` };
}

const idOf = (session: string) => `agentcore-mcp-${session}`.padEnd(40, '0');

/** Starts a session on the local runtime. */
async function invoke(local: LocalRuntime, session: string): Promise<void> {
  const answer = await read(
    signingFetch(local)(local.runtime('agent').invocationUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json', [RUNTIME_SESSION]: idOf(session) },
      body: '{}',
    }),
  );
  expect(answer.status).toBe(200);
}

/** A running session, and the records of a proxy that was killed. */
async function orphan(local: LocalRuntime, ...names: string[]): Promise<StateFolder> {
  const state = new StateFolder();
  for (const session of names) {
    await invoke(local, session);
    const begun = started(session, ago(MINUTE), placeOf(local));
    state.write({ records: [begun, identified(session, idOf(session))] });
  }
  return state;
}

const stateOf = (local: LocalRuntime, session: string) =>
  local.sessions().find(({ runtimeSessionId }) => runtimeSessionId === idOf(session))?.state;

describe('a killed proxy', () => {
  it.each([
    ['with its session idle', undefined],
    ['in the middle of a call', 'hang'],
  ])('leaves its session in the list %s, and the session can be stopped', async (_, tool) => {
    const local = await start({ server: statelessMcp() });
    const state = new StateFolder();
    const proxy = proxyTo(local, {
      AGENTCORE_STATE_DIR: state.path,
    });
    await proxy.initialize();
    if (tool) proxy.begin('tools/call', { name: tool, arguments: {} });
    if (tool) await local.until(() => local.sessions()[0]?.inFlight === 1);
    expect(await entriesOf(state, local.env)).toMatchObject([
      { mayBill: true, programs: [{ program: 'proxy', pid: proxy.child.pid, liveness: 'alive' }] },
    ]);
    await proxy.kill();
    const [entry] = await entriesOf(state, local.env);
    expect(entry).toMatchObject({ state: 'orphaned' });
    expect(local.sessions()).toMatchObject([{ runtimeSessionId: entry?.runtimeSessionId }]);
    const { code, stdout } = await sessions(state, ['stop', '--orphaned'], local.env);
    expect(stdout).toMatch(/: stopped\n$/);
    expect(code).toBe(0);
    expect(local.sessions()).toMatchObject([{ state: 'Stopped' }]);
    expect(await entriesOf(state, local.env)).toMatchObject([{ state: 'stopped' }]);
  });
});

describe('a container that fails while its session starts, with a killed program', () => {
  /** The records of the killed program, and the later outcome. */
  async function failedStart(server: RuntimeInput) {
    const local = await start({ server });
    const state = new StateFolder();
    const proxy = proxyTo(local, {
      AGENTCORE_STATE_DIR: state.path,
      AGENTCORE_RETRIES: '0',
    });
    const params = { protocolVersion: '2025-11-25', capabilities: {} };
    expect((await proxy.request('initialize', params)).error).toBeDefined();
    await proxy.kill();
    const entries = await entriesOf(state, local.env);
    expect(entries).toMatchObject([{ state: 'orphaned', mayBill: true }]);
    const [{ id }] = entries as [SessionInfo];
    const stops = () => local.requests.filter(({ operation }) => operation === 'stop').length;
    const rows = async () => {
      const { lines } = await runCli(['log'], { AGENTCORE_STATE_DIR: state.path });
      return lines.filter((row) => row.includes(' cli ') && row.includes(id.slice(0, 8)));
    };
    return { local, state, id, stops, rows };
  }

  it('leaves a session that is stopped by one attempt, with one row', async () => {
    const { local, state, id, stops, rows } = await failedStart({
      command: [
        process.execPath,
        fileURLToPath(new URL('../fixtures/refusing-server.mjs', import.meta.url)),
      ],
      env: { STATUS: '500', BODY: 'The database does not answer', CONTENT_TYPE: 'text/plain' },
    });
    expect(running(local)).toBe(1);
    const { code, stdout } = await sessions(state, ['stop', id], local.env);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/: stopped\n$/) });
    expect(running(local)).toBe(0);
    expect(stops()).toBe(1);
    expect(await rows()).toEqual([expect.stringMatching(/session stopped$/)]);
    expect(await entriesOf(state, local.env)).toMatchObject([{ state: 'stopped' }]);
  });

  it('leaves a session that can be dismissed, with one row and no attempt to stop it', async () => {
    const command = [process.execPath, '-e', 'process.exit(1)'];
    const { local, state, id, stops, rows } = await failedStart({ command });
    expect(local.microVms).toMatchObject([{ why: 'start-failed' }]);
    const { code, stdout } = await sessions(state, ['dismiss', id], local.env);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/: dismissed\n$/) });
    expect(stops()).toBe(0);
    expect(await rows()).toEqual([expect.stringMatching(/session dismissed$/)]);
    expect(await entriesOf(state, local.env)).toEqual([]);
  });
});

describe('agentcore-mcp sessions stop', () => {
  it('stops a session, and records that', async () => {
    const local = await start({ agent: httpAgent() });
    const state = await orphan(local, 'one');
    const { pid } = local.sessions()[0] ?? {};
    expect(isAlive(pid)).toBe(true);
    const { code, stdout, stderr } = await sessions(state, ['stop', 'one'], local.env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^one on agent-\w+: stopped\n$/);
    expect(stateOf(local, 'one')).toBe('Stopped');
    await local.until(() => !isAlive(pid));
    expect(await entriesOf(state, local.env)).toMatchObject([{ state: 'stopped', mayBill: false }]);
  });

  it('uses the key of a local AgentCore if there is no other key', async () => {
    const local = await start({ agent: httpAgent() });
    const state = await orphan(local, 'one');
    const { AWS_ACCESS_KEY_ID: _, AWS_SECRET_ACCESS_KEY: __, ...env } = local.env;
    const { code } = await sessions(state, ['stop', 'one'], env);
    expect(code).toBe(0);
    expect(stateOf(local, 'one')).toBe('Stopped');
  });

  it('counts a missing session as stopped', async () => {
    const local = await start({ agent: httpAgent() });
    const state = await orphan(local, 'one');
    await local.killMicroVm(idOf('one'));
    const { code, stdout } = await sessions(state, ['stop', 'one'], local.env);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^one on .*: had already ended\n$/);
    expect(await entriesOf(state, local.env)).toMatchObject([{ state: 'stopped' }]);
  });

  it('stops all that may be billed, or only those without a program', async () => {
    const local = await start({ agent: httpAgent() });
    const state = await orphan(local, 'one', 'two');
    await invoke(local, 'three');
    state.write({
      program: 'alive',
      records: [started('three', ago(MINUTE), placeOf(local)), identified('three', idOf('three'))],
    });
    const orphans = await sessions(state, ['stop', '--orphaned'], local.env);
    expect(orphans).toMatchObject({ code: 0 });
    expect([...orphans.lines].sort()).toEqual([
      expect.stringMatching(/^one on .*: stopped$/),
      expect.stringMatching(/^two on .*: stopped$/),
    ]);
    expect(stateOf(local, 'three')).toBe('Idle');
    const all = await sessions(state, ['stop', '--all'], local.env);
    expect(all.lines).toEqual([expect.stringMatching(/^three on .*: stopped$/)]);
    expect(stateOf(local, 'three')).toBe('Stopped');
    const none = await sessions(state, ['stop', '--all'], local.env);
    expect(none).toMatchObject({ code: 0, stdout: 'There is no session to stop.\n' });
  });

  it.each([
    ['a conflict', { kind: 'platform-error', error: 'retryable-conflict', times: 3 }],
    ['throttling', { kind: 'throttle', times: 4 }],
  ] as const)('retries after %s', async (_, fault) => {
    const local = await start({ agent: httpAgent() });
    const state = await orphan(local, 'one');
    const injected = local.faults.inject({ operation: 'stop', ...fault });
    const { code, stdout } = await sessions(state, ['stop', 'one'], local.env);
    expect(injected.hits).toBe(fault.times);
    expect(stdout).toMatch(/: stopped\n$/);
    expect(code).toBe(0);
    expect(stateOf(local, 'one')).toBe('Stopped');
  });

  it('keeps a session in the list that could not be stopped, with the reason, and stops the others', async () => {
    const local = await start({ agent: httpAgent() });
    const state = await orphan(local, 'one', 'two');
    local.faults.inject({
      operation: 'stop',
      kind: 'platform-error',
      error: 'access-denied',
      message: 'not authorized to stop',
      sessionId: idOf('one'),
    });
    const { code, stdout } = await sessions(state, ['stop', 'one', 'two'], local.env);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^one on .*: could not be stopped: .*not authorized to stop$/m);
    expect(stdout).toMatch(/^two on .*: stopped$/m);
    const entries = await entriesOf(state, local.env);
    expect(entries.find(({ id }) => id === 'one')).toMatchObject({
      state: 'orphaned',
      mayBill: true,
      stopFailure: { reason: expect.stringContaining('not authorized to stop') },
    });
    expect((await sessions(state, [], local.env)).stdout).toMatch(
      /^one: could not be stopped at .*not authorized to stop$/m,
    );
    expect(await sessions(state, ['stop', '--all'], local.env)).toMatchObject({ code: 0 });
    expect(stateOf(local, 'one')).toBe('Stopped');
  });

  it('stops a session of unknown id by the id that the proxy sent', async () => {
    const local = await start({ agent: httpAgent() });
    await invoke(local, 'one');
    const state = new StateFolder();
    state.write({ records: [started('one', ago(MINUTE), placeOf(local))] });
    state.write({ records: [started('two', ago(MINUTE), placeOf(local))] });
    const { code, stdout } = await sessions(state, ['stop', '--all'], local.env);
    expect(stdout).toMatch(/^one on .*: stopped$/m);
    // AgentCore may know it by another id, so the stop proves nothing.
    expect(stdout).toMatch(
      /^two on .*: could not be stopped: .*never learnt; it may be billed until /m,
    );
    expect(code).toBe(1);
    expect(await entriesOf(state, local.env)).toContainEqual(
      expect.objectContaining({ id: 'two', mayBill: true }),
    );
  });

  it('signs with the session’s profile', async () => {
    const local = await start({ agent: httpAgent() });
    await invoke(local, 'one');
    const state = new StateFolder();
    const file = join(state.path, 'credentials');
    const { accessKeyId, secretAccessKey } = local.credentials;
    writeFileSync(
      file,
      `[work]\naws_access_key_id=${accessKeyId}\naws_secret_access_key=${secretAccessKey}\n`,
    );
    state.write({
      records: [
        started('one', ago(MINUTE), { ...placeOf(local), profile: 'work' }),
        identified('one', idOf('one')),
      ],
    });
    const env = { ...KEYS, AWS_SHARED_CREDENTIALS_FILE: file };
    const { code, stdout } = await sessions(state, ['stop', 'one'], env);
    expect(stdout).toMatch(/: stopped\n$/);
    expect(code).toBe(0);
    expect(stateOf(local, 'one')).toBe('Stopped');
  });

  it('exits at once on an interrupt, and keeps the remaining sessions in the list', async () => {
    const local = await start({ agent: httpAgent() });
    const state = await orphan(local, 'one');
    const held = local.faults.inject({ operation: 'stop', kind: 'silence' });
    const cli = startCli(['sessions', 'stop', 'one'], {
      AGENTCORE_STATE_DIR: state.path,
      ...local.env,
    });
    await local.until(() => held.hits === 1);
    cli.child.kill('SIGINT');
    expect(await within(MAX_WAIT_MS, 'its end', cli.exited)).toBe(1);
    expect(cli.stdout).toMatch(/^one on .*: could not be stopped: interrupted\n$/);
    expect(await entriesOf(state, local.env)).toMatchObject([
      { mayBill: true, stopFailure: { reason: 'interrupted' } },
    ]);
  });
});
