import { once } from 'node:events';
import { request } from 'node:http';
import { describe, expect, it } from 'vitest';
import { INITIALIZE, start, statelessMcp } from './harness.ts';

/** Uses `node:http`, because `fetch` sets `Host` itself. Resolves with the status. */
async function post(url: string, headers: Record<string, string>): Promise<number | undefined> {
  const sent = request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
  });
  sent.end(JSON.stringify(INITIALIZE));
  const [response] = await once(sent, 'response');
  response.resume();
  return response.statusCode;
}

describe('a request that a web page could send', () => {
  it.each([
    ['a foreign Origin', 403, { origin: 'http://evil.example' }],
    ['the Origin null', 403, { origin: 'null' }],
    ['a foreign Host', 403, { host: 'evil.example' }],
    ['both', 403, { host: 'evil.example', origin: 'http://evil.example' }],
    ['a body that is not JSON', 415, { 'content-type': 'text/plain' }],
  ])('with %s gets %s from a gateway without an authorizer', async (_, status, headers) => {
    const local = await start(
      { tools: statelessMcp() },
      { gateways: { open: { authorizer: 'NONE', targets: { tools: { runtime: 'tools' } } } } },
      { deliveryLimit: 10 },
    );
    const { url } = local.gateway('open');
    expect(await post(url, headers)).toBe(status);
    expect(local.deliveries).toEqual([]);
    expect(await post(url, {})).toBe(200);
    expect(await post(url, { host: `localhost:${new URL(url).port}` })).toBe(200);
  });

  it('gets 403 from every service, before the service reads the request', async () => {
    const local = await start({ tools: statelessMcp() });
    const { arn } = local.runtime('tools');
    for (const path of [
      '/',
      '/runtimes',
      '/oauth/token',
      '/client/register',
      `/runtimes/${encodeURIComponent(arn)}/invocations`,
    ]) {
      expect(await post(local.url + path, { origin: 'http://evil.example' })).toBe(403);
    }
  });

  it('gets 415 from an MCP runtime if its body is not JSON', async () => {
    const local = await start({ tools: statelessMcp() });
    const url = local.runtime('tools').invocationUrl;
    expect(await post(url, { 'content-type': 'text/plain' })).toBe(415);
  });
});
