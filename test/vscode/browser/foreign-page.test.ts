import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { STDIO_SERVER, startBridge } from '../../fixtures/bridge-process.ts';
import { start, statelessMcp } from '../../local/harness.ts';
import { findChromium } from '../install/chromium.ts';

const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'x', version: '1' },
  },
};

let browser: Browser;
beforeAll(async () => {
  browser = await chromium.launch({
    executablePath: findChromium() ?? 'chromium',
    args: ['--no-sandbox', '--disable-gpu', '--host-resolver-rules=MAP evil.example 127.0.0.1'],
  });
});
afterAll(() => browser.close());

/** Runs in a page: sends the requests that a script can send without a CORS preflight. */
async function attack({ url, body }: { url: string; body: string }): Promise<string[]> {
  const answers: string[] = [];
  for (const init of [
    { headers: { 'content-type': 'text/plain' }, body },
    { body: new Blob([body]) },
    { headers: { 'content-type': 'application/json' }, body },
  ]) {
    for (const mode of ['no-cors', 'cors'] as const) {
      try {
        const { status } = await fetch(url, { method: 'POST', mode, ...init });
        answers.push(String(status));
      } catch {
        answers.push('blocked');
      }
    }
  }
  return answers;
}

/** The answers to a page from another origin, and to a page whose name resolves to the service. */
async function attackFrom(host: string, url: string): Promise<string[]> {
  const page = await browser.newPage();
  const server = createServer((_, response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end('<title>page</title>'),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const body = JSON.stringify(INITIALIZE);
    await page.goto(`http://${host}:${(server.address() as AddressInfo).port}/`);
    const foreign = await page.evaluate(attack, { url, body });
    const rebound = new URL(url);
    rebound.hostname = 'evil.example';
    // Whatever the page shows, its origin is that of the service.
    await page.goto(rebound.origin);
    return [...foreign, ...(await page.evaluate(attack, { url: rebound.href, body }))];
  } finally {
    await page.close();
    server.close();
    server.closeAllConnections();
  }
}

/** A page on the service's own origin sees the status. A page elsewhere sees nothing. */
const isRefused = (answer: string) => ['403', '415', '0', 'blocked'].includes(answer);

describe.each(['evil.example', '127.0.0.1'])('a page on http://%s', (host) => {
  it('reaches no server behind the bridge', async () => {
    const bridge = await startBridge({ MCP_SERVER_CMD: STDIO_SERVER, LOG_LEVEL: 'debug' });
    for (const path of ['/mcp', '/invocations']) {
      const answers = await attackFrom(host, bridge.url + path);
      expect(answers.filter((answer) => !isRefused(answer))).toEqual([]);
      expect(answers).toContain('403');
    }
    // The server is started by the first message that reaches it.
    await bridge.initialize();
    const [{ result }] = (await bridge.call('received')).messages;
    expect(result.received).toEqual(['initialize', 'notifications/initialized', 'tools/call']);
  });

  it('reaches no gateway without an authorizer on the local AgentCore', async () => {
    const local = await start(
      { tools: statelessMcp() },
      { gateways: { open: { authorizer: 'NONE', targets: { tools: { runtime: 'tools' } } } } },
    );
    const answers = await attackFrom(host, local.gateway('open').url);
    expect(answers.filter((answer) => !isRefused(answer))).toEqual([]);
    expect(answers).toContain('403');
    const seen = local.requests.filter(({ method }) => method === 'POST');
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.map(({ status, rpcMethod }) => [status, rpcMethod])).toEqual(
      seen.map(() => [403, undefined]),
    );
  });
});
