import { describe, expect, test } from 'vitest';
import { resolveConfig } from '../../src/local/config/schema.ts';
import type { LocalEvent } from '../../src/local/core/events.ts';
import { AccessKeys } from '../../src/local/identity/access-keys.ts';
import { SigV4Verifier } from '../../src/local/identity/sigv4-verifier.ts';
import {
  httpAgent,
  poster,
  read,
  type Signing,
  signingFetch,
  start,
  statelessMcp,
  toolCall,
} from './harness.ts';
import { ManualClock } from './manual-clock.ts';

const HELLO = { prompt: 'hello' };

describe('the log contains the reason of a rejected signature:', () => {
  test.each<[string, Signing, string, RegExp]>([
    ['an unknown key', { accessKeyId: 'AKIAUNKNOWN' }, 'unknown-key', /access key AKIAUNKNOWN/],
    ['a token too many', { sessionToken: 'x' }, 'session-token', /unset AWS_SESSION_TOKEN/],
    ['an old date', { at: new Date(Date.now() - 360_000) }, 'skew', /Signature expired/],
    ['another secret', { secretAccessKey: 'wrong' }, 'mismatch', /does not match/],
    ['another region', { region: 'eu-west-1' }, 'scope', /not 'eu-west-1'/],
  ])('%s', async (_, signing, why, reason) => {
    const refused: LocalEvent[] = [];
    const listener = (event: LocalEvent) =>
      event.type === 'signature-refused' && refused.push(event);
    const local = await start({ notes: statelessMcp() }, {}, { listener });
    await read(poster(local, 'notes', signing)(toolCall('count')));
    expect(refused).toMatchObject([
      { why, reason: expect.stringMatching(reason), request: { runtime: 'notes' } },
    ]);
  });
});

describe('a request for an unsupported service gets an error that names the service', () => {
  const NOT_SERVED = /is not served by the local AgentCore/;

  test.each([
    ['dynamodb', 'application/x-amz-json-1.0', '{}'],
    ['iam', 'application/x-www-form-urlencoded', 'Action=ListUsers&Version=2010-05-08'],
  ])('%s', async (service, type, body) => {
    const local = await start({ agent: httpAgent() });
    const sent = await read(
      signingFetch(local, { service })(`${local.url}/`, {
        method: 'POST',
        headers: { 'content-type': type },
        body,
      }),
    );
    expect(sent.status).toBe(404);
    expect(sent.text).toMatch(NOT_SERVED);
    expect(sent.text).toContain(service);
  });

  test('without a signature', async () => {
    const local = await start({ agent: httpAgent() });
    expect((await read(fetch(local.url))).text).toMatch(NOT_SERVED);
  });

  test('also for an unsupported STS action', async () => {
    const local = await start({ agent: httpAgent() });
    const sent = await read(
      signingFetch(local, { service: 'sts' })(`${local.url}/`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: 'Action=GetSessionToken&Version=2011-06-15',
      }),
    );
    expect(sent.text).toContain('InvalidAction');
    expect(sent.text).toContain(
      'serves only GetCallerIdentity, AssumeRole and AssumeRoleWithWebIdentity',
    );
  });
});

describe('a request with an invalid signature', () => {
  test.each<[string, Signing, string, string]>([
    ['another secret', { secretAccessKey: 'wrong' }, 'InvalidSignatureException', 'does not match'],
    [
      'an unknown key',
      { accessKeyId: 'AKIAUNKNOWNUNKNOWN00' },
      'UnrecognizedClientException',
      'security token included in the request is invalid',
    ],
    [
      'a session token of another key',
      { sessionToken: 'made-up' },
      'UnrecognizedClientException',
      'is invalid',
    ],
    ['another region', { region: 'eu-west-1' }, 'InvalidSignatureException', "not 'eu-west-1'"],
    ['another service', { service: 'bedrock' }, 'InvalidSignatureException', "'bedrock-agentcore'"],
    [
      'a date six minutes in the past',
      { at: new Date(Date.now() - 360_000) },
      'InvalidSignatureException',
      'Signature expired',
    ],
    [
      'a date six minutes in the future',
      { at: new Date(Date.now() + 360_000) },
      'InvalidSignatureException',
      'Signature not yet current',
    ],
  ])('with %s is rejected by an HTTP runtime', async (_, signing, type, message) => {
    const local = await start({ agent: httpAgent() });
    const sent = await read(poster(local, 'agent', signing)(HELLO));
    expect(sent.status).toBe(403);
    expect(sent.headers.get('x-amzn-errortype')).toBe(type);
    expect(sent.json.message).toContain(message);
    expect(local.sessions()).toEqual([]);
  });

  test('without any signature gets a missing authentication token error', async () => {
    const local = await start({ agent: httpAgent() });
    const sent = await read(fetch(local.runtime('agent').invocationUrl, { method: 'POST' }));
    expect(sent).toMatchObject({
      status: 403,
      json: { message: 'Missing Authentication Token' },
    });
    expect(sent.headers.get('x-amzn-errortype')).toBe('MissingAuthenticationTokenException');
  });

  test('is rejected by an MCP runtime with a JSON-RPC error', async () => {
    const local = await start({ notes: statelessMcp() });
    const sent = await read(poster(local, 'notes', { secretAccessKey: 'wrong' })(toolCall('echo')));
    expect(sent).toMatchObject({
      status: 403,
      json: {
        jsonrpc: '2.0',
        id: 2,
        error: { code: -32002, message: 'Authorization error - Insufficient permissions' },
      },
    });
    expect(sent.headers.get('x-amzn-errortype')).toBeNull();
  });

  test('can be rejected by an MCP runtime as unauthorized, or with the service’s error', async () => {
    const local = await start({
      unauthorized: statelessMcp({ switches: { mcpSignatureErrors: 'unauthorized' } }),
      plain: statelessMcp({ switches: { mcpSignatureErrors: 'status' } }),
    });
    const wrong = { secretAccessKey: 'wrong' };
    expect(await read(poster(local, 'unauthorized', wrong)(toolCall('echo')))).toMatchObject({
      status: 401,
      json: { error: { code: -32001 } },
    });
    const plain = await read(poster(local, 'plain', wrong)(toolCall('echo')));
    expect(plain.status).toBe(403);
    expect(plain.headers.get('x-amzn-errortype')).toBe('InvalidSignatureException');
  });

  test('is rejected if its body, its query or a signed header was changed on the way', async () => {
    const local = await start({ agent: httpAgent() });
    const signed = signingFetch(local);
    const url = local.runtime('agent').invocationUrl;
    const captured: { url: URL; init: RequestInit }[] = [];
    const original = globalThis.fetch;
    globalThis.fetch = async (input, init) => {
      captured.push({ url: new URL(String(input)), init: init ?? {} });
      return new Response();
    };
    try {
      await signed(url, { method: 'POST', body: '{"a":1}', headers: { 'x-mine': 'a' } });
    } finally {
      globalThis.fetch = original;
    }
    const [sent] = captured;
    if (!sent) throw new Error('nothing was signed');
    const headers = new Headers(sent.init.headers);
    headers.delete('host');
    const send = (change: RequestInit, query = '') =>
      read(fetch(`${sent.url}${query}`, { ...sent.init, headers, ...change }));
    expect((await send({})).status).toBe(200);
    expect((await send({ body: '{"a":2}' })).status).toBe(403);
    expect((await send({}, '&more=1')).status).toBe(403);
    headers.set('x-mine', 'b');
    expect((await send({})).status).toBe(403);
  });
});

describe('a request with a valid signature', () => {
  test('may have a query with any characters, in any order', async () => {
    const local = await start({ agent: httpAgent({ endpoints: ["odd !'()*~+/&=é"] }) });
    const url = new URL(local.runtime('agent').invocationUrl);
    url.search = '';
    for (const [name, value] of [
      ['qualifier', "odd !'()*~+/&=é"],
      ['b', ''],
      ['a', '2'],
      ['A', '1'],
    ]) {
      url.searchParams.append(name as string, value as string);
    }
    // URLSearchParams writes a space as a plus.
    const encoded = new URL(url.href.replaceAll('+', '%20'));
    const sent = await read(
      signingFetch(local)(encoded, { method: 'POST', body: JSON.stringify(HELLO) }),
    );
    expect(sent.status).toBe(200);
  });

  test('may have headers with several spaces in a row', async () => {
    const local = await start({ agent: httpAgent() });
    const sent = await read(poster(local, 'agent')(HELLO, { 'x-spaced': 'a   b    c' }));
    expect(sent.status).toBe(200);
  });

  test('may be a few minutes early or late', async () => {
    const local = await start({ agent: httpAgent() });
    for (const minutes of [-4, 4]) {
      const at = new Date(Date.now() + minutes * 60_000);
      expect((await read(poster(local, 'agent', { at })(HELLO))).status).toBe(200);
    }
  });

  test('is rejected once the principal is denied the action', async () => {
    const local = await start(
      { agent: httpAgent(), notes: statelessMcp() },
      {
        accessKeys: [
          {
            id: 'AKIADENIEDDENIED0000',
            secret: 'secret',
            principal: 'arn:aws:iam::123456789012:user/guest',
            denied: ['bedrock-agentcore:InvokeAgentRuntimeForUser'],
          },
        ],
      },
    );
    const user = { 'x-amzn-bedrock-agentcore-runtime-user-id': 'someone' };
    expect((await read(poster(local, 'agent')(HELLO))).status).toBe(200);
    const refused = await read(poster(local, 'agent')(HELLO, user));
    expect(refused).toMatchObject({
      status: 403,
      json: {
        message: expect.stringContaining(
          'user/guest is not authorized to perform: bedrock-agentcore:InvokeAgentRuntimeForUser',
        ),
      },
    });
    expect(await read(poster(local, 'notes')(toolCall('echo'), user))).toMatchObject({
      status: 403,
      json: { error: { code: -32002 } },
    });
  });
});

test('temporary credentials expire', () => {
  const clock = new ManualClock(Date.parse('2026-01-02T03:04:05Z'));
  const keys = new AccessKeys(resolveConfig({ runtimes: {} }), clock);
  const principal = { arn: 'arn', account: '1', userId: 'u', denied: [] };
  const key = keys.issue(principal, 1000);
  const verifier = new SigV4Verifier(keys, clock);
  expect(keys.find(key.id)?.sessionToken).toBe(key.sessionToken);
  clock.advance(1001);
  // A wrong signature is reported first, because an expired key is still known.
  const verification = verifier.verify(
    {
      method: 'POST',
      path: '/',
      query: '',
      headers: {
        host: 'localhost',
        'x-amz-date': '20260102T030406Z',
        'x-amz-security-token': key.sessionToken,
        authorization: `AWS4-HMAC-SHA256 Credential=${key.id}/20260102/us-east-1/sts/aws4_request, SignedHeaders=host;x-amz-date, Signature=00`,
      },
      bodySha256: '',
    },
    'sts',
    ['us-east-1'],
  );
  expect(verification).toMatchObject({ ok: false, fault: 'invalid' });
});

test('a request with expired temporary credentials gets an error about the expiry', async () => {
  const clock = new ManualClock();
  const role = 'arn:aws:iam::123456789012:role/Short';
  const local = await start(
    { agent: httpAgent() },
    { roles: [{ arn: role, sessionDuration: 60 }] },
    { clock },
  );
  const query = new URLSearchParams({
    Action: 'AssumeRole',
    Version: '2011-06-15',
    RoleArn: role,
    RoleSessionName: 'test',
  });
  const assumed = await read(
    signingFetch(local, { service: 'sts' })(`${local.url}/`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: query.toString(),
    }),
  );
  const element = (name: string) =>
    new RegExp(`<${name}>(.*)</${name}>`).exec(assumed.text)?.[1] ?? '';
  const temporary = {
    accessKeyId: element('AccessKeyId'),
    secretAccessKey: element('SecretAccessKey'),
    sessionToken: element('SessionToken'),
  };
  expect((await read(poster(local, 'agent', temporary)(HELLO))).status).toBe(200);
  clock.advance(61_000);
  const late = { ...temporary, at: new Date(clock.now()) };
  const sent = await read(poster(local, 'agent', late)(HELLO));
  expect(sent.status).toBe(403);
  expect(sent.headers.get('x-amzn-errortype')).toBe('ExpiredTokenException');
  expect(sent.json.message).toBe('The security token included in the request is expired');
});
