import { Agent } from 'node:http';
import {
  BedrockAgentCoreClient,
  StopRuntimeSessionCommand,
} from '@aws-sdk/client-bedrock-agentcore';
import { describe, expect, it } from 'vitest';
import { parseRuntimeArn } from '../../src/aws/arn.ts';
import { SigningClock } from '../../src/aws/sigv4.ts';
import {
  createStopTarget,
  type StopResult,
  type StopTarget,
  stopSession,
} from '../../src/sessions/stop-session.ts';
import { MAX_WAIT_MS } from '../fixtures/bounds.ts';
import { endWithTest } from '../fixtures/running.ts';
import {
  json,
  type ScriptedUpstream,
  type Seen,
  startUpstream,
} from '../fixtures/scripted-upstream.ts';

const RUNTIME = parseRuntimeArn(
  'arn:aws:bedrock-agentcore:us-west-2:123456789012:runtime/my_server-AbCdEf1234',
);
const ID = 'a-runtime-session-id-of-33-characters';
const KEY = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'none' };

function targetOf(upstream: ScriptedUpstream, qualifier?: string): StopTarget {
  const agent = endWithTest(new Agent({ keepAlive: true }), (one) => one.destroy());
  return createStopTarget({
    runtime: RUNTIME,
    qualifier,
    endpoint: new URL(upstream.url),
    credentials: Object.assign(async () => KEY, { renew: async () => false }),
    clock: new SigningClock(),
    agent,
  });
}

function stop(target: StopTarget, ids = [ID], timeoutMs = MAX_WAIT_MS): Promise<StopResult> {
  return stopSession(target, ids, { signal: new AbortController().signal, timeoutMs });
}

/**
 * Answers the first attempts with these scripts, and all further ones like AgentCore after a stop.
 */
function replies(...scripts: readonly ((seen: Seen) => unknown)[]): Promise<ScriptedUpstream> {
  let attempt = 0;
  return startUpstream((seen) => {
    scripts[attempt++]?.(seen);
    return attempt <= scripts.length;
  });
}

function error(status: number, type: string | undefined, message: string, headers: object = {}) {
  return ({ response }: Seen) => {
    if (type) response.setHeader('x-amzn-errortype', type);
    response.setHeaders(new Map(Object.entries(headers)));
    json(response, { message }, status);
  };
}

/** The parts of a request that AgentCore evaluates. */
function shapeOf({ path, query, headers, message }: Seen) {
  const { 'content-type': type, 'x-amzn-bedrock-agentcore-runtime-session-id': id } = headers;
  const [, scope] = /Credential=AKIAEXAMPLE\/\d{8}\/(\S+),/.exec(headers.authorization ?? '') ?? [];
  return { path, query: [...query], type, id, scope, body: Object.keys(message) };
}

describe('stopSession', () => {
  it.each([undefined, 'my endpoint/1'])(
    'sends the request of the AWS SDK for qualifier %s',
    async (qualifier) => {
      const upstream = await startUpstream();
      const client = new BedrockAgentCoreClient({
        endpoint: upstream.url,
        region: RUNTIME.region,
        credentials: KEY,
      });
      endWithTest(client, () => client.destroy());
      await client.send(
        new StopRuntimeSessionCommand({
          agentRuntimeArn: RUNTIME.arn,
          runtimeSessionId: ID,
          qualifier,
        }),
      );
      expect(await stop(targetOf(upstream, qualifier))).toEqual({ how: 'stopped' });
      const [ofSdk, ours] = upstream.seen.map(shapeOf);
      expect(ours).toEqual(ofSdk);
      expect(ours).toMatchObject({ id: ID, scope: 'us-west-2/bedrock-agentcore/aws4_request' });
    },
  );

  it('tries all ids until AgentCore knows one', async () => {
    const upstream = await replies(error(404, 'ResourceNotFoundException', 'Not found'));
    expect(await stop(targetOf(upstream), ['first', 'second', 'third'])).toEqual({
      how: 'stopped',
    });
    expect(upstream.seen.map((seen) => shapeOf(seen).id)).toEqual(['first', 'second']);
  });

  it('reports a session as gone if AgentCore knows none of the ids', async () => {
    const notFound = error(
      404,
      'ResourceNotFoundException:http://internal.amazon.com/',
      'Not found',
    );
    const upstream = await replies(notFound, notFound);
    expect(await stop(targetOf(upstream), ['first', 'second'])).toEqual({ how: 'gone' });
  });

  it.each<[string, (seen: Seen) => unknown]>([
    ['throttling', error(429, 'ThrottlingException', 'Rate exceeded')],
    ['throttling with another status', error(400, 'ThrottlingException', 'Rate exceeded')],
    ['a conflict', error(409, 'RetryableConflictException', '')],
    ['a server error', error(500, 'InternalServerException', 'Internal error')],
    ['an unavailable service', error(503, undefined, 'Slow down', { 'retry-after': '0' })],
    ['a closed connection', ({ response }) => response.destroy()],
  ])('retries with the same client token after %s', async (_, reply) => {
    const upstream = await replies(reply, reply);
    expect(await stop(targetOf(upstream))).toEqual({ how: 'stopped' });
    const tokens = upstream.seen.map(({ message }) => message.clientToken);
    expect(tokens).toEqual(Array(3).fill(expect.stringMatching(/^[\da-f-]{36}$/)));
    expect(new Set(tokens).size).toBe(1);
  });

  it.each<[string, (seen: Seen) => unknown, string]>([
    [
      'the caller lacks the permission',
      error(403, 'AccessDeniedException', 'User: me is not authorized'),
      'AccessDeniedException: User: me is not authorized',
    ],
    ['the path is unknown', error(404, undefined, 'No such page'), 'HTTP 404: No such page'],
    [
      'the request is invalid',
      error(400, 'ValidationException', 'Invalid id'),
      'ValidationException: Invalid id',
    ],
  ])('fails after one attempt if %s', async (_, reply, reason) => {
    const upstream = await replies(reply, reply);
    expect(await stop(targetOf(upstream))).toMatchObject({ how: 'failed', reason });
    expect(upstream.seen).toHaveLength(1);
  });

  it('fails with the last reason after three server errors', async () => {
    const reply = error(500, 'InternalServerException', 'Internal error');
    const upstream = await replies(reply, reply, reply, reply);
    const reason = 'InternalServerException: Internal error';
    expect(await stop(targetOf(upstream))).toMatchObject({ how: 'failed', reason });
    expect(upstream.seen).toHaveLength(3);
  });

  it('corrects its clock from AWS time', async () => {
    const date = new Date(Date.now() - 3_600_000).toUTCString();
    const upstream = await replies(
      error(403, 'InvalidSignatureException', 'Signature not yet current', { date }),
    );
    const clock = new SigningClock();
    const target = createStopTarget({
      runtime: RUNTIME,
      qualifier: undefined,
      endpoint: new URL(upstream.url),
      credentials: Object.assign(async () => KEY, {
        renew: async (since: number) => clock.wasCorrectedSince(since),
      }),
      clock,
      agent: new Agent(),
    });
    expect(await stop(target)).toEqual({ how: 'stopped' });
    const [wrong, right] = upstream.seen.map(({ headers }) => String(headers['x-amz-date']));
    expect(right?.localeCompare(String(wrong))).toBe(-1);
  });

  it('stops waiting at its timeout', async () => {
    const upstream = await replies(() => undefined);
    const reason = 'no answer within 0.2 s';
    expect(await stop(targetOf(upstream), [ID], 200)).toMatchObject({ how: 'failed', reason });
  });

  it('reports the last reason if the timeout expires between two attempts', async () => {
    const upstream = await replies(
      error(429, 'ThrottlingException', 'Rate exceeded', { 'retry-after': '3600' }),
    );
    const reason = 'ThrottlingException: Rate exceeded';
    expect(await stop(targetOf(upstream), [ID], 3_000)).toMatchObject({ how: 'failed', reason });
  });

  it('reports that the session may be stopped if the signal aborts after the request left', async () => {
    const abort = new AbortController();
    const upstream = await replies(() => abort.abort(new Error('the program had to end')));
    const { signal } = abort;
    const result = await stopSession(targetOf(upstream), [ID], { signal, timeoutMs: MAX_WAIT_MS });
    expect(result).toMatchObject({
      how: 'failed',
      reason: 'the program had to end before AgentCore answered; the session may be stopped',
    });
  });

  it('sends nothing after the signal has aborted', async () => {
    const upstream = await startUpstream();
    const signal = AbortSignal.abort(new Error('no time left'));
    const result = await stopSession(targetOf(upstream), [ID], { signal, timeoutMs: MAX_WAIT_MS });
    expect(result).toMatchObject({ how: 'failed', reason: 'no time left' });
    expect(upstream.seen).toEqual([]);
  });
});
