import { Agent } from 'node:http';
import { expect, it } from 'vitest';
import { parseRuntimeArn } from '../../src/aws/arn.ts';
import { Network } from '../../src/aws/network.ts';
import { RuntimeInvoker } from '../../src/ends/runtime/invoker.ts';
import { UpstreamEnd } from '../../src/ends/upstream/upstream-end.ts';
import { makeNotification } from '../../src/mcp/message.ts';
import { freshSessionId } from '../../src/sessions/session-ids.ts';
import { SessionRegister } from '../../src/sessions/session-register.ts';
import { callOf, ScriptedClient } from '../recovery/scripted-peers.ts';

const RUNTIME = parseRuntimeArn(
  'arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/my_server-AbCdEf1234',
);
const ENDPOINT = new URL('http://127.0.0.1:1');

/** An end whose requests fail on their way out, and how many of them were on that way. */
function startEnd() {
  let signed = 0;
  const agent = new Agent();
  const log = () => undefined;
  const credentials = async () => ({ accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'none' });
  const end = new UpstreamEnd({
    upstream: new RuntimeInvoker({
      runtime: RUNTIME,
      qualifier: undefined,
      endpoint: ENDPOINT,
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
    mode: 'session',
    sessions: new SessionRegister({
      origin: {
        runtime: RUNTIME.arn,
        qualifier: undefined,
        mode: 'session',
        endpoint: ENDPOINT.href,
      },
      journal: { record: () => undefined, recordNow: async () => undefined },
      stop: { runtime: RUNTIME, qualifier: undefined, endpoint: ENDPOINT, credentials, agent },
      say: log,
    }),
    sessionId: async () => freshSessionId(),
    alone: [],
    endsSessions: true,
    messageLimit: 1_000_000,
    log,
  });
  return { end, signed: () => signed };
}

it('a runtime hears nothing any more once its sessions were stopped', async () => {
  const { end, signed } = startEnd();
  const exchange = { signal: new AbortController().signal, back: new ScriptedClient() };
  await expect(end.request(callOf('first'), exchange)).rejects.toThrow(/connection/);
  expect(signed()).toBe(1);
  end.close();
  // What recovers a session does not belong to a call that could be aborted.
  await expect(end.request(callOf('second'), exchange)).rejects.toMatchObject({ code: 'shutdown' });
  await expect(end.notify(makeNotification('notifications/message'))).rejects.toMatchObject({
    code: 'shutdown',
  });
  expect(signed()).toBe(1);
});
