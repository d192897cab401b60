import { expect, it } from 'vitest';
import { startProxy } from '../fixtures/proxy-process.ts';
import { isCall, startUpstream, stream } from '../fixtures/scripted-upstream.ts';

it('a streaming gateway sends a request to the client within a call, and gets the answer in its session', async () => {
  const gateway = await startUpstream((seen) => {
    if (!isCall(seen)) return false;
    const send = stream(seen);
    send({ jsonrpc: '2.0', id: 7, method: 'elicitation/create', params: { message: 'Who?' } });
    void gateway
      .saw('the answer', ({ message }) => message?.id === 7 && 'result' in message)
      .then(({ message }) => {
        send({ jsonrpc: '2.0', id: seen.message.id, result: message.result });
        seen.response.end();
      });
    return true;
  });
  const proxy = startProxy(gateway.url, {
    AGENTCORE_AGENT_ARN: `${gateway.url}/mcp`,
    AGENTCORE_AUTH: 'none',
  });
  await proxy.initialize({ elicitation: {} });
  const id = proxy.begin('tools/call', { name: 'ask' });
  const question = await proxy.next(
    'the question',
    ({ method }) => method === 'elicitation/create',
  );
  proxy.send({ jsonrpc: '2.0', id: question.id, result: { action: 'accept' } });
  expect((await proxy.answerTo(id)).result).toEqual({ action: 'accept' });
  await proxy.close();
  const [first, ...later] = gateway.seen;
  expect(first?.headers['mcp-session-id']).toBeUndefined();
  for (const { path, headers } of later) {
    expect(path).toBe('/mcp');
    expect(headers['mcp-session-id']).toBe('server-session-1');
    expect(headers['mcp-protocol-version']).toBe('2025-11-25');
    expect(headers.authorization).toBeUndefined();
  }
});
