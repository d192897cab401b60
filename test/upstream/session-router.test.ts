import { Agent } from 'node:http';
import { expect, it } from 'vitest';
import { parseRuntimeArn } from '../../src/aws/arn.ts';
import { SigningClock } from '../../src/aws/sigv4.ts';
import { Network } from '../../src/http/network.ts';
import { createNotification } from '../../src/mcp/message.ts';
import { createContext } from '../../src/relay/peer.ts';
import { ToolCatalog } from '../../src/relay/tool-catalog.ts';
import { createSessionId, type SessionMode } from '../../src/sessions/runtime-session.ts';
import { SessionManager } from '../../src/sessions/session-manager.ts';
import { createStopTarget } from '../../src/sessions/stop-session.ts';
import type { JournalRecord } from '../../src/state/journal/records.ts';
import { HttpClient } from '../../src/upstream/http-client.ts';
import { SessionRouter } from '../../src/upstream/session-router.ts';
import { createRuntimeTarget } from '../../src/upstream/targets.ts';
import { isCall, json, startUpstream } from '../fixtures/scripted-upstream.ts';
import { RUNTIME_SESSION } from '../local/harness.ts';
import { callOf, requestOf, ScriptedClient } from '../recovery/scripted-peers.ts';

const RUNTIME = parseRuntimeArn(
  'arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/my_server-AbCdEf1234',
);

/** An upstream, the number of its signed requests, and the journal records of its sessions. */
function startEnd({
  url = 'http://127.0.0.1:1',
  mode = 'session',
}: {
  readonly url?: string;
  readonly mode?: SessionMode;
} = {}) {
  let signed = 0;
  const endpoint = new URL(url);
  const agent = new Agent();
  const log = () => undefined;
  const credentials = Object.assign(
    async () => ({ accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'none' }),
    { renew: async () => false },
  );
  const records: JournalRecord[] = [];
  const sessions = new SessionManager({
    origin: { runtime: RUNTIME.arn, qualifier: undefined, mode, endpoint: endpoint.href },
    journal: {
      record: (record) => void records.push(record),
      recordNow: async (record) => void records.push(record),
    },
    stopTarget: createStopTarget({
      runtime: RUNTIME,
      qualifier: undefined,
      endpoint,
      credentials,
      clock: new SigningClock(),
      agent,
    }),
    say: log,
  });
  const end = new SessionRouter({
    client: new HttpClient({
      target: createRuntimeTarget(
        { runtime: { ...RUNTIME, dataPlane: url }, qualifier: undefined },
        { fips: false, dualStack: false, override: undefined },
      ),
      authorizer: {
        method: 'iam',
        sign: async ({ headers }) => {
          signed += 1;
          return { ...headers };
        },
        renew: async () => false,
      },
      agent,
      network: new Network({}),
      timeouts: { connect: 1_000, read: 1_000 },
    }),
    mode,
    sessions,
    tools: new ToolCatalog(),
    sessionId: async () => createSessionId(),
    alone: [],
    endsSessions: true,
    messageLimit: 1_000_000,
    log,
  });
  return { end, sessions, signed: () => signed, types: () => records.map(({ type }) => type) };
}

const exchange = createContext('to-server', { sender: new ScriptedClient() });

it('a runtime receives no request after its sessions were stopped', async () => {
  const { end, signed } = startEnd();
  await expect(end.request(callOf('first'), exchange)).rejects.toThrow(/connection/);
  expect(signed()).toBe(1);
  end.close();
  // Session recovery does not belong to a call that the client could abort.
  await expect(end.request(callOf('second'), exchange)).rejects.toMatchObject({ code: 'shutdown' });
  await expect(end.notify(createNotification('notifications/message'))).rejects.toMatchObject({
    code: 'shutdown',
  });
  expect(signed()).toBe(1);
});

it('a session receives no message once its stop has begun, even if another one replaced it', async () => {
  const upstream = await startUpstream((seen) => isCall(seen));
  const { end, sessions, types } = startEnd({ url: upstream.url });
  const initialize = requestOf('initialize', { protocolVersion: '2025-11-25' });
  const calls: Promise<unknown>[] = [];
  for (const name of ['in the earlier session', 'in the last session']) {
    await end.request(initialize, exchange);
    calls.push(end.request(callOf(name), exchange));
    await upstream.saw('the call', (seen) => isCall(seen, name));
  }
  const before = upstream.seen.length;
  const ended = sessions.shutdown({ stop: true, timeoutMs: 20_000 });
  const late = [
    end.request(callOf('late'), exchange),
    end.notify(createNotification('notifications/roots/list_changed')),
  ];
  for (const message of [...calls, ...late]) {
    await expect(message).rejects.toMatchObject({ code: 'shutdown' });
  }
  await ended;
  expect(upstream.seen.slice(before).map(({ path }) => path.split('/').at(-1))).toEqual([
    'stopruntimesession',
    'stopruntimesession',
  ]);
  expect(types().slice(-2)).toEqual(['session.stopped', 'session.stopped']);
});

it('a session stays in the list if its last handshake was cut off, even without a session of its id', async () => {
  const upstream = await startUpstream(({ message, path, response, headers }) => {
    if (path.endsWith('/stopruntimesession')) {
      response.setHeader('x-amzn-errortype', 'ResourceNotFoundException');
      json(response, { message: 'Not found' }, 404);
      return true;
    }
    if (message.method !== 'initialize' || !headers['mcp-session-id']) return true;
    // A server that chooses its session ids rejects the id that the proxy offers.
    response.setHeader(RUNTIME_SESSION, String(headers[RUNTIME_SESSION]));
    const error = { code: -32600, message: 'Bad Request: No valid session ID provided' };
    json(response, { jsonrpc: '2.0', id: message.id, error });
    return true;
  });
  const { end, sessions, types } = startEnd({ url: upstream.url, mode: 'identity' });
  const initialize = requestOf('initialize', { protocolVersion: '2025-11-25' });
  await expect(end.request(initialize, exchange)).rejects.toMatchObject({ code: 'timeout' });
  end.close();
  await sessions.shutdown({ stop: true, timeoutMs: 20_000 });
  expect(types()).toContain('session.identified');
  expect(types().at(-1)).toBe('session.stop-failed');
});
