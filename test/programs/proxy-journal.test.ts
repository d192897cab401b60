import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readJournal } from '../../src/state/journal/reader.ts';
import type { CallRecord, JournalRecord } from '../../src/state/journal/records.ts';
import { startProxied, startState } from '../fixtures/proxied-runtime.ts';
import { startProxy } from '../fixtures/proxy-process.ts';
import { isCall, json, result, startUpstream } from '../fixtures/scripted-upstream.ts';

/** Does not look like a secret, but must not be recorded. */
const PRIVATE = 'the patient is well';
const PASSWORD = 'correct horse battery staple';

async function recordsIn(journal: string): Promise<readonly JournalRecord[]> {
  return (await readJournal(journal)).files.flatMap(({ records }) => records);
}

async function callsIn(journal: string): Promise<readonly CallRecord[]> {
  const records = await recordsIn(journal);
  return records.filter((record) => record.type === 'call');
}

/**
 * A proxy with a journal, in front of an upstream that answers calls according to the tool name.
 */
async function startRecorded(env: Record<string, string> = {}) {
  const state = await startState();
  const upstream = await startUpstream((seen) => {
    const { response, message } = seen;
    response.setHeader('x-amzn-requestid', 'request-of-aws');
    response.setHeader('x-amzn-trace-id', 'trace-of-aws');
    if (!isCall(seen)) return false;
    const { name } = message.params;
    if (name === 'reset') response.socket?.resetAndDestroy();
    else if (name === 'error') {
      const error = { code: -32050, message: `No: ${PRIVATE}` };
      json(response, { jsonrpc: '2.0', id: message.id, error });
    } else if (name === 'tool-error') {
      result(seen, { isError: true, content: [{ type: 'text', text: PRIVATE }] });
    } else if (name !== 'hang') {
      result(seen, { content: [{ type: 'text', text: PRIVATE }], password: PASSWORD });
    }
    return true;
  });
  const proxy = startProxy(upstream.url, { ...state.env, ...env });
  await proxy.initialize();
  return { upstream, proxy, journal: state.journal };
}

describe('the journal records of a call', () => {
  it('its time, method, size, duration and AWS request id', async () => {
    const { proxy, journal } = await startRecorded();
    const before = new Date().toISOString();
    const sent = { name: 'work', arguments: { note: PRIVATE } };
    await proxy.request('tools/call', sent);
    await proxy.close();
    const records = await recordsIn(journal);
    const session = records.find(({ type }) => type === 'session.started');
    expect((await callsIn(journal)).map(({ method }) => method)).toEqual([
      'initialize',
      'tools/call',
    ]);
    const [, call] = await callsIn(journal);
    expect(call).toEqual({
      type: 'call',
      at: expect.any(String),
      session: session && 'session' in session && session.session,
      method: 'tools/call',
      name: 'work',
      milliseconds: expect.any(Number),
      bytesIn: JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'tools/call', params: sent }).length,
      bytesOut: expect.any(Number),
      outcome: 'result',
      attempts: 1,
      requestId: 'request-of-aws',
      traceId: 'trace-of-aws',
    });
    expect(call?.at && call.at >= before).toBe(true);
    expect(call?.bytesOut).toBeGreaterThan(PRIVATE.length);
  });

  it.each<[string, Partial<CallRecord>]>([
    ['tool-error', { outcome: 'tool-error' }],
    ['error', { outcome: 'error', code: -32050 }],
    ['reset', { outcome: 'failed', bytesOut: 0 }],
  ])('its outcome: %s', async (name, record) => {
    const { proxy, journal } = await startRecorded();
    await proxy.call(name);
    await proxy.close();
    expect(await callsIn(journal)).toContainEqual(expect.objectContaining({ name, ...record }));
  });

  it('its cancellation', async () => {
    const { upstream, proxy, journal } = await startRecorded();
    const id = proxy.begin('tools/call', { name: 'hang' });
    await upstream.saw('the call', (seen) => isCall(seen));
    proxy.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } });
    await upstream.sawMethod('notifications/cancelled');
    await proxy.close();
    expect(await callsIn(journal)).toContainEqual(
      expect.objectContaining({ name: 'hang', outcome: 'cancelled' }),
    );
  });

  it('the number of attempts', async () => {
    const { env, journal } = await startState();
    const { local, proxy } = await startProxied({ env });
    await proxy.initialize();
    local.faults.inject({ kind: 'throttle', tool: 'count', times: 2 });
    await proxy.call('count');
    await proxy.close();
    const [call] = (await callsIn(journal)).filter(({ name }) => name === 'count');
    expect(call).toMatchObject({ outcome: 'result', attempts: 3 });
  });
});

describe('the content of a call', () => {
  it('is not in the journal', async () => {
    const { proxy, journal } = await startRecorded();
    for (const name of ['work', 'error', 'tool-error', 'reset']) {
      await proxy.call(name, { note: PRIVATE, password: PASSWORD });
    }
    await proxy.request('resources/templates/list', { note: PRIVATE }).catch(() => undefined);
    await proxy.close();
    const [file] = await readdir(journal);
    const text = await readFile(join(journal, String(file)), 'utf8');
    expect(text).toContain('"tool-error"');
    expect(text).not.toContain(PRIVATE);
    expect(text).not.toContain(PASSWORD);
  });

  it('is in the journal if enabled, without secrets', async () => {
    const { proxy, journal } = await startRecorded({ AGENTCORE_JOURNAL_CONTENT: '1' });
    await proxy.call('work', { note: PRIVATE, password: PASSWORD });
    await proxy.close();
    const [call] = (await callsIn(journal)).filter(({ name }) => name === 'work');
    expect(call).toMatchObject({
      arguments: { note: PRIVATE, password: '[redacted]' },
      result: { content: [{ text: PRIVATE }], password: '[redacted]' },
    });
    const [file] = await readdir(journal);
    expect(await readFile(join(journal, String(file)), 'utf8')).not.toContain(PASSWORD);
  });
});

describe('the journal', () => {
  it('contains failures with the text of the log', async () => {
    const { proxy, journal } = await startRecorded();
    proxy.send({ jsonrpc: '2.0', id: 4711, result: {} });
    await proxy.close();
    expect(await recordsIn(journal)).toContainEqual({
      type: 'error',
      at: expect.any(String),
      level: 'warning',
      message: expect.stringContaining('4711'),
    });
  });

  it.runIf(process.platform !== 'win32')('is readable by its owner alone', async () => {
    const { proxy, journal } = await startRecorded();
    await proxy.close();
    const [file] = await readdir(journal);
    expect((await stat(journal)).mode & 0o777).toBe(0o700);
    expect((await stat(join(journal, String(file)))).mode & 0o777).toBe(0o600);
  });

  it('that cannot be written affects no call, and is reported once', async () => {
    const { env, journal } = await startState();
    // The folder cannot be created because a file is at its path.
    await writeFile(journal, '');
    const { local, proxy } = await startProxied({ env: { ...env, LOG_LEVEL: 'warning' } });
    await proxy.initialize();
    const calls = Array.from({ length: 20 }, () => proxy.call('count'));
    for (const { error } of await Promise.all(calls)) expect(error).toBeUndefined();
    expect((await proxy.close()).code).toBe(0);
    expect(proxy.stderr.match(/Could not write to the journal/g)).toHaveLength(1);
    expect(proxy.stderr).toContain('AGENTCORE_STATE_DIR');
    expect(local.sessions().map(({ state }) => state)).toEqual(['Stopped']);
  });

  it('that is removed meanwhile affects no call', async () => {
    const { env, journal } = await startState();
    const { proxy } = await startProxied({ env });
    await proxy.initialize();
    await rm(dirname(journal), { recursive: true });
    await writeFile(dirname(journal), '');
    expect((await proxy.call('count')).error).toBeUndefined();
    expect((await proxy.close()).code).toBe(0);
    await rm(dirname(journal));
    await mkdir(dirname(journal));
  });

  it.runIf(process.platform === 'linux')('on a full disk affects no call', async () => {
    // Writes into this folder fail as on a full disk.
    const { local, proxy } = await startProxied({
      env: { AGENTCORE_STATE_DIR: '/proc/self/full', LOG_LEVEL: 'warning' },
    });
    await proxy.initialize();
    expect((await proxy.call('count')).error).toBeUndefined();
    expect((await proxy.close()).code).toBe(0);
    expect(proxy.stderr.match(/Could not write to the journal/g)).toHaveLength(1);
    expect(local.sessions().map(({ state }) => state)).toEqual(['Stopped']);
  });
});
