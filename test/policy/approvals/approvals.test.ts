import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { Line, ProxyProcess } from '../../fixtures/proxy-process.ts';
import { startGuarded } from '../adversarial/guarded.ts';

const POLICY = `
version: "1"
tools:
  pay: { rules: [{ name: large, action: require_approval, conditions: [{ path: args.amount, op: gt, value: 500 }], on_deny: "Large payments need you." }] }
  refund: { rules: [{ action: require_approval, approval_timeout: 1s }] }
  wipe: { rules: [{ action: require_approval, approval: call }, { rate_limit: 1/month }] }
`;

const isQuestion = ({ method }: Line) => method === 'elicitation/create';

async function answer(proxy: ProxyProcess, result: object): Promise<Line> {
  const question = await proxy.next('a question', isQuestion);
  proxy.send({ jsonrpc: '2.0', id: question.id, result });
  return question;
}

const ONCE = { action: 'accept', content: { allow: 'once' } };
const SESSION = { action: 'accept', content: { allow: 'session' } };

function said({ result, error }: Line): string {
  return error
    ? `error ${error.message}`
    : `${result.isError ? 'refused' : 'done'} ${result.content[0].text}`;
}

describe('a call that requires approval', () => {
  it('continues once the user approves, and the prompt shows tool, arguments and identity', async () => {
    const { proxy, local } = await startGuarded(POLICY);
    await proxy.initialize({ elicitation: {} });
    const call = proxy.call('pay', { amount: 501, to: 'x\u202ey' });
    const { params } = await answer(proxy, ONCE);
    expect(said(await call)).toBe('done did tools/call');
    expect(params.message).toContain('"pay"');
    expect(params.message).toContain('Large payments need you.');
    expect(params.message).toContain('"amount":501');
    expect(params.message).toContain('\\u{202e}');
    expect(params.message).toContain(local.runtime('server').arn);
    expect(params.message).toMatch(/^As: arn:aws:(iam|sts)::/m);
    expect(params.message).toMatch(/^Cost: .* of today may have cost \$\d+\.\d\d so far\.$/m);
    const again = proxy.call('pay', { amount: 501 });
    await answer(proxy, { action: 'decline' });
    expect(said(await again)).toContain('refused');
  });

  it('is shown with its original values, regardless of redaction', async () => {
    const { proxy, local } = await startGuarded(
      `${POLICY}redact: { directions: [arguments, results] }\n`,
    );
    await proxy.initialize({ elicitation: {} });
    const call = proxy.call('pay', { amount: 501, to: 'jane@example.com' });
    const { params } = await answer(proxy, ONCE);
    expect(params.message).toContain('"to":"jane@example.com"');
    expect(said(await call)).toBe('done did tools/call');
    expect(local.deliveries.at(-1)?.body).toMatch(/"to":"<email:[\da-f]+>"/);
  });

  it('is not prompted for if the conditions do not match', async () => {
    const { proxy } = await startGuarded(POLICY);
    await proxy.initialize({ elicitation: {} });
    expect(said(await proxy.call('pay', { amount: 5 }))).toBe('done did tools/call');
    expect(proxy.lines.some(isQuestion)).toBe(false);
  });

  it.each([
    { action: 'decline' },
    { action: 'cancel' },
    { action: 'accept' },
    { action: 'accept', content: { allow: 'everything' } },
    {},
  ])('is not sent if the answer is %j', async (result) => {
    const { proxy, local } = await startGuarded(POLICY);
    await proxy.initialize({ elicitation: {} });
    const call = proxy.call('pay', { amount: 501 });
    await answer(proxy, result);
    expect(said(await call)).toContain('refused Refused by policy: Large payments need you.');
    await proxy.close();
    expect(local.deliveries.filter(({ body }) => body.includes('tools/call'))).toEqual([]);
  });

  it('is not prompted for again in the session if the user approves it so, with any arguments', async () => {
    const { proxy } = await startGuarded(POLICY);
    await proxy.initialize({ elicitation: {} });
    const call = proxy.call('pay', { amount: 501 });
    await answer(proxy, SESSION);
    await call;
    expect(said(await proxy.call('pay', { amount: 999 }))).toBe('done did tools/call');
  });

  it('cannot be approved for the session if the rule requires approval of each call', async () => {
    const { proxy } = await startGuarded(POLICY);
    await proxy.initialize({ elicitation: {} });
    const call = proxy.call('wipe');
    const { params } = await answer(proxy, SESSION);
    expect(params.requestedSchema.properties.allow.enum).toEqual(['once']);
    expect(said(await call)).toContain('refused');
  });

  it('is not prompted for if its limit would deny it anyway', async () => {
    const { proxy } = await startGuarded(POLICY);
    await proxy.initialize({ elicitation: {} });
    const call = proxy.call('wipe');
    await answer(proxy, ONCE);
    expect(said(await call)).toBe('done did tools/call');
    expect(said(await proxy.call('wipe'))).toContain('Rate limit of 1 per month');
    expect(proxy.lines.filter(isQuestion)).toHaveLength(1);
  });

  it('is denied if the user does not answer in time', async () => {
    const { proxy } = await startGuarded(POLICY);
    await proxy.initialize({ elicitation: {} });
    expect(said(await proxy.call('refund'))).toContain('rules/0. Nobody answered within 1 s.');
  });

  it('can wait for a month if the rule allows it', async () => {
    const { proxy } = await startGuarded(`
version: "1"
tools: { pay: { rules: [{ action: require_approval, approval_timeout: 31d }] } }
`);
    await proxy.initialize({ elicitation: {} });
    const call = proxy.call('pay');
    await proxy.call('read');
    await answer(proxy, ONCE);
    expect(said(await call)).toBe('done did tools/call');
    expect(proxy.stderr).not.toContain('Warning');
  });

  it('is denied if the client cannot prompt', async () => {
    const { proxy } = await startGuarded(POLICY);
    await proxy.initialize();
    expect(said(await proxy.call('refund'))).toContain('cannot ask a person');
  });

  it('is not prompted for again for a while after a denial of the same arguments', async () => {
    const { proxy } = await startGuarded(`${POLICY}approvals: { dedupe_window: 1h }\n`);
    await proxy.initialize({ elicitation: {} });
    const call = proxy.call('pay', { amount: 501 });
    await answer(proxy, { action: 'decline' });
    await call;
    expect(said(await proxy.call('pay', { amount: 501 }))).toContain('a moment ago');
    const other = proxy.call('pay', { amount: 502 });
    await answer(proxy, ONCE);
    expect(said(await other)).toBe('done did tools/call');
  });

  it('is no longer prompted for, and not sent, once it is cancelled', async () => {
    const { proxy, local } = await startGuarded(POLICY);
    await proxy.initialize({ elicitation: {} });
    const id = proxy.begin('tools/call', { name: 'pay', arguments: { amount: 501 } });
    const question = await proxy.next('a question', isQuestion);
    proxy.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } });
    const { params } = await proxy.next(
      'its end',
      ({ method }) => method === 'notifications/cancelled',
    );
    expect(params.requestId).toBe(question.id);
    proxy.send({ jsonrpc: '2.0', id: question.id, result: ONCE });
    expect(said(await proxy.call('pay', { amount: 1 }))).toBe('done did tools/call');
    await proxy.close();
    expect(proxy.lines.filter((line) => line.id === id && !line.method)).toEqual([]);
    expect(local.deliveries.filter(({ body }) => body.includes('501'))).toEqual([]);
  });

  it('is denied if the policy changed during the prompt', async () => {
    const { proxy, file } = await startGuarded(POLICY);
    await proxy.initialize({ elicitation: {} });
    const call = proxy.call('pay', { amount: 501 });
    const question = await proxy.next('a question', isQuestion);
    await writeFile(file, `${POLICY}hide: [pay]\n`);
    proxy.send({ jsonrpc: '2.0', id: question.id, result: ONCE });
    expect(said(await call)).toContain('refused Refused by policy: The policy has changed');
  });

  it('does not delay other calls meanwhile', async () => {
    const { proxy } = await startGuarded(POLICY);
    await proxy.initialize({ elicitation: {} });
    const call = proxy.call('pay', { amount: 501 });
    expect(said(await proxy.call('read'))).toBe('done did tools/call');
    await answer(proxy, ONCE);
    await call;
  });
});

describe('the same in the stateless era', () => {
  const meta = (elicitation?: object) => ({
    _meta: {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': elicitation ? { elicitation } : {},
    },
  });
  const pay = { name: 'pay', arguments: { amount: 501 }, ...meta({ form: {} }) };
  const ask = async (proxy: ProxyProcess, params: object = pay) =>
    (await proxy.request('tools/call', params)).result;
  const responses = (result: { inputRequests: object }, given: object) =>
    Object.fromEntries(Object.keys(result.inputRequests).map((key) => [key, given]));

  it('is answered with the prompt, and continues when it is sent again with the answer', async () => {
    const { proxy, local } = await startGuarded(POLICY);
    const asked = await ask(proxy);
    expect(asked.resultType).toBe('input_required');
    expect(JSON.stringify(asked.inputRequests)).toContain('Large payments need you.');
    const again = {
      ...pay,
      requestState: asked.requestState,
      inputResponses: responses(asked, ONCE),
    };
    expect(said(await proxy.request('tools/call', again))).toBe('done did tools/call');
    // Each answer is valid once.
    expect(said(await proxy.request('tools/call', again))).toContain('refused');
    await proxy.close();
    const bodies = local.deliveries
      .map(({ body }) => body)
      .filter((body) => body.includes('tools/call'));
    expect(bodies).toHaveLength(1);
    expect(bodies[0]).not.toContain('requestState');
  });

  it('continues once with the server’s own input requests in between', async () => {
    const { proxy } = await startGuarded('version: "1"\napprove: [ask_inline]');
    const inline = { name: 'ask_inline', arguments: {}, ...meta({ form: {} }) };
    const asked = await ask(proxy, inline);
    const ours = { requestState: asked.requestState, inputResponses: responses(asked, ONCE) };
    const servers = await ask(proxy, { ...inline, ...ours });
    expect(servers).toMatchObject({ requestState: 'mine' });
    const again = { ...inline, requestState: 'mine', inputResponses: { model: {} } };
    expect(await ask(proxy, again)).toMatchObject({ requestState: 'mine' });
    const { requestState: _, ...without } = again;
    expect((await ask(proxy, without)).requestState).toContain('agentcore-mcp-policy');
  });

  it('is denied if its arguments differ from the shown ones', async () => {
    const { proxy } = await startGuarded(POLICY);
    const asked = await ask(proxy);
    const again = {
      ...pay,
      arguments: { amount: 9999 },
      requestState: asked.requestState,
      inputResponses: responses(asked, ONCE),
    };
    expect(said(await proxy.request('tools/call', again))).toContain(
      'another one than the person was shown',
    );
  });

  it('is denied if the client cannot prompt', async () => {
    const { proxy } = await startGuarded(POLICY);
    const params = { name: 'pay', arguments: { amount: 501 }, ...meta() };
    expect(said(await proxy.request('tools/call', params))).toContain('cannot ask a person');
  });
});

describe('messages of other methods', () => {
  const METHODS = `
version: "1"
methods:
  sampling/createMessage: { rules: [{ action: require_approval, on_deny: "Models cost." }] }
  logging/setLevel: { rules: [{ action: require_approval }] }
  notifications/progress: { rules: [{ action: require_approval }] }
  notifications/roots/list_changed: { rules: [{ rate_limit: 1/month }] }
  notifications/message: { deny_if: [{ path: args.level, op: eq, value: debug }], rules: [] }
`;
  const CAPABLE = { elicitation: {}, sampling: {} };
  const isSampling = ({ method }: Line) => method === 'sampling/createMessage';

  it('wait for approval also if they come from the server', async () => {
    const { proxy } = await startGuarded(METHODS);
    await proxy.initialize(CAPABLE);
    const call = proxy.call('ask');
    const { params } = await answer(proxy, ONCE);
    expect(params.message).toContain('The server asks the client for sampling/createMessage.');
    expect(params.message).toContain('Models cost.');
    const sampling = await proxy.next('a request for a completion', isSampling);
    proxy.send({ jsonrpc: '2.0', id: sampling.id, result: { role: 'assistant' } });
    expect(said(await call)).toContain('assistant');

    const again = proxy.call('ask');
    await answer(proxy, { action: 'decline' });
    expect(said(await again)).toContain('Models cost. The person who was asked did not agree.');
    expect(proxy.lines.filter(isSampling)).toHaveLength(1);
  });

  it('are denied if no user can be prompted', async () => {
    const { proxy } = await startGuarded(METHODS);
    await proxy.initialize({ sampling: {} });
    expect(said(await proxy.call('ask'))).toContain('Models cost. The client cannot ask a person');
    const inline = await proxy.request('tools/call', {
      name: 'ask_inline',
      arguments: {},
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': CAPABLE,
      },
    });
    expect(said(inline)).toContain('refused Refused by policy: Models cost. Nobody can be asked');
    expect(proxy.lines.filter(isSampling)).toEqual([]);
  });

  it('are shown with their params if they have no arguments', async () => {
    const { proxy } = await startGuarded(METHODS);
    await proxy.initialize(CAPABLE);
    const level = proxy.request('logging/setLevel', { level: 'debug' });
    const { params } = await answer(proxy, ONCE);
    expect(params.message).toContain('An agent asks for logging/setLevel.');
    expect(params.message).toContain('{"level":"debug"}');
    expect((await level).error).toBeUndefined();
  });

  it('obey the rules if they are notifications, which wait for no approval', async () => {
    const { proxy, local } = await startGuarded(METHODS);
    await proxy.initialize(CAPABLE);
    for (const [method, params] of [
      ['notifications/progress', { progressToken: 'x', progress: 1 }],
      ['notifications/roots/list_changed', { n: 1 }],
      ['notifications/roots/list_changed', { n: 2 }],
      ['notifications/message', { level: 'debug' }],
      ['notifications/message', { level: 'info' }],
    ] as const) {
      proxy.send({ jsonrpc: '2.0', method, params });
    }
    await proxy.call('read');
    await proxy.close();
    const told = local.deliveries
      .map(({ body }) => JSON.parse(body))
      .filter(({ id, method }) => id === undefined && method !== 'notifications/initialized');
    expect(told.map(({ params }) => params)).toEqual([{ n: 1 }, { level: 'info' }]);
  });
});
