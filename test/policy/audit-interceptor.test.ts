import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { AgentCoreError } from '../../src/base/errors.ts';
import {
  createErrorResponse,
  type JsonRpcRequest,
  type JsonRpcResponse,
} from '../../src/mcp/message.ts';
import { AuditInterceptor, createNameMask } from '../../src/policy/audit-interceptor.ts';
import { RedactionInterceptor } from '../../src/policy/redaction/redaction-interceptor.ts';
import type { RedactionRules } from '../../src/redaction/rules.ts';
import { applyInterceptors, type Interceptor } from '../../src/relay/peer.ts';
import type { AuditEntry } from '../../src/state/audit/records.ts';
import { CallRecorderInterceptor } from '../../src/telemetry/call-recorder.ts';
import { exchangeWith, requestOf, resultFor, ScriptedServer } from '../recovery/scripted-peers.ts';
import { redactorOf } from './redaction/redaction-fixture.ts';

const SALT = randomBytes(32);

async function audited(
  script: (request: JsonRpcRequest) => JsonRpcResponse,
  {
    isRequired = false,
    record,
  }: { isRequired?: boolean; record?: (entry: AuditEntry) => Promise<void> } = {},
) {
  const entries: AuditEntry[] = [];
  let noted: Promise<void> = Promise.resolve();
  const upstream = new ScriptedServer((request, { call }) => {
    if (call) Object.assign(call, { attempts: 1, requestId: 'aws-1', traceId: 'trace-1' });
    return script(request);
  });
  const deciding: Interceptor = {
    request(request, context, next) {
      if (context.call) context.call.decision = { effect: 'allow', rule: '/tools/tool/rules/0' };
      return next.request(request, context);
    },
  };
  const server = applyInterceptors(
    [
      new AuditInterceptor({
        from: 'client',
        audit: {
          record: record ?? (async (entry) => void entries.push(entry)),
          note: (entry) => {
            const made = entry();
            noted = noted.then(async () => void entries.push(await made));
          },
        },
        isRequired: () => isRequired,
        runtime: 'arn',
        caller: () => 'caller',
        salt: SALT,
        redactedName: await createNameMask(),
      }),
      deciding,
      new RedactionInterceptor(redactorOf),
      new CallRecorderInterceptor({ record: () => undefined }, false),
    ],
    upstream,
  );
  return { entries, noted: () => noted, upstream, server };
}

const call = (args: unknown) => requestOf('tools/call', { name: 'tool', arguments: args });

test('a request is recorded with caller, name, decision, redactions and outcome', async () => {
  const { entries, noted, server } = await audited((request) => resultFor(request, {}));
  await server.request(call({ a: 'me@example.com' }), exchangeWith());
  await server.request(call({ a: 'me@example.com' }), exchangeWith());
  await server.request(call({ a: 'you@example.com' }), exchangeWith());
  await noted();
  expect(entries[0]).toEqual({
    phase: 'ended',
    id: expect.any(String),
    at: expect.any(String),
    from: 'client',
    method: 'tools/call',
    name: 'tool',
    caller: 'caller',
    runtime: 'arn',
    session: undefined,
    argumentsHash: expect.stringMatching(/^[\da-f]{64}$/),
    decision: { effect: 'allow', rule: '/tools/tool/rules/0' },
    redactions: { email: 1 },
    tokens: { issued: [expect.stringMatching(/^[\da-f]{16}$/)], restored: [] },
    milliseconds: expect.any(Number),
    attempts: 1,
    upstreamStatus: 200,
    outcome: 'result',
    requestId: 'aws-1',
    traceId: 'trace-1',
  });
  expect(JSON.stringify(entries)).not.toContain('example');
  const [once, twice, other] = entries.map(({ tokens }) => tokens?.issued[0]);
  expect(once).toBe(twice);
  expect(once).not.toBe(other);
  const [first, second, third] = entries.map(({ argumentsHash }) => argumentsHash);
  expect(first).toBe(second);
  expect(first).not.toBe(third);
});

test('a call whose answer contains its tokens is recorded with the tokens that it restored', async () => {
  const { entries, noted, server } = await audited((request) =>
    resultFor(request, { structuredContent: request.params?.arguments }),
  );
  await server.request(call({ a: 'me@example.com' }), exchangeWith());
  await server.request(call({ a: 'nothing' }), exchangeWith());
  await noted();
  expect(entries[0]?.tokens?.restored).toEqual(entries[0]?.tokens?.issued);
  expect(entries[0]?.tokens?.restored).toHaveLength(1);
  expect(entries[1]).not.toHaveProperty('tokens');
});

test('errors and failures are recorded as such, and names without personal data', async () => {
  const { entries, noted, server } = await audited((request) => {
    if (request.method === 'tools/call')
      throw new AgentCoreError('upstream', 'no', { data: { status: 502 } });
    return createErrorResponse(request.id, { code: -32602, message: 'no' });
  });
  const uri = { uri: 'crm://me@example.com' };
  await server.request(requestOf('resources/read', uri), exchangeWith());
  await expect(server.request(call(1), exchangeWith())).rejects.toThrow('no');
  await noted();
  expect(entries).toMatchObject([
    { outcome: 'error', code: -32602, name: 'crm://[redacted:email]' },
    { outcome: 'failed', upstreamStatus: 502 },
  ]);
});

test('a required audit that cannot be written denies the call before anything is sent', async () => {
  const record = async () => {
    throw new AgentCoreError('config', 'No room');
  };
  const script = (request: JsonRpcRequest) => resultFor(request, {});
  const required = await audited(script, { isRequired: true, record });
  await expect(required.server.request(call(1), exchangeWith())).rejects.toThrow(
    'requires an audit',
  );
  expect(required.upstream.requests).toEqual([]);
  const optional = await audited(script, { record });
  await optional.server.request(call(1), exchangeWith());
  expect(optional.upstream.requests).toHaveLength(1);
});

test('a required audit contains the call before it is sent, and its end with the same id', async () => {
  const seen: number[] = [];
  const { entries, server } = await audited(
    (request) => {
      seen.push(entries.length);
      return resultFor(request, {});
    },
    { isRequired: true },
  );
  await server.request(call(1), exchangeWith());
  expect(seen).toEqual([1]);
  expect(entries.map(({ phase }) => phase)).toEqual(['begun', 'ended']);
  expect(entries[0]?.id).toBe(entries[1]?.id);
});

test('names are stored without the personal data of the current rules', async () => {
  let rules: readonly RedactionRules[] = [];
  const mask = await createNameMask(() => rules);
  expect(await mask('orders://ORD-1/me@example.com')).toBe('orders://ORD-1/[redacted:email]');
  rules = [{ patterns: [{ name: 'order', pattern: 'ORD-[0-9]+' }] }];
  expect(await mask('orders://ORD-1')).toBe('orders://[redacted:order]');
});
