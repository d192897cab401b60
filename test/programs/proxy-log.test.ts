import { describe, expect, it } from 'vitest';
import { startProxy } from '../fixtures/proxy-process.ts';
import { isCall, result, startUpstream } from '../fixtures/scripted-upstream.ts';

const SECRET = 'wJalrXUtnFEMI/K7MDENG+SECRET';
const TOKEN = 'IQoJb3JpZ2luX2VjTOKEN';

async function startTalkative(env: Record<string, string> = {}) {
  const upstream = await startUpstream(
    (seen) =>
      (isCall(seen) || seen.message?.method === 'logging/setLevel') && (result(seen, {}) ?? true),
  );
  return startProxy(upstream.url, env);
}

/** Makes the proxy log a message at level `warning`. */
function provoke(proxy: ReturnType<typeof startProxy>): void {
  proxy.send({ jsonrpc: '2.0', id: 4711, result: {} });
}

describe('log messages of the proxy', () => {
  it('are sent to the client as log notifications, at the level that the client set', async () => {
    const proxy = await startTalkative();
    await proxy.initialize();
    provoke(proxy);
    const said = await proxy.next(
      'a log message',
      (line) => line.method === 'notifications/message',
    );
    expect(said.params).toMatchObject({ level: 'warning', logger: 'agentcore-mcp' });
    expect(said.params.data).toContain('4711');

    await proxy.request('logging/setLevel', { level: 'error' });
    provoke(proxy);
    await proxy.call('echo');
    expect(proxy.lines.filter((line) => line.method === 'notifications/message')).toHaveLength(1);

    await proxy.request('logging/setLevel', { level: 'debug' });
    provoke(proxy);
    await proxy.next('another', (line) => line.method === 'notifications/message');
    expect(proxy.stderr).toBe('');
  });

  it('are not sent to a client before its initialize is answered', async () => {
    const proxy = await startTalkative();
    provoke(proxy);
    await proxy.initialize();
    expect(proxy.lines.every((line) => line.method === undefined)).toBe(true);
  });

  it.each<[Record<string, string>, boolean, boolean]>([
    [{}, false, false],
    [{ LOG_LEVEL: 'WARN' }, true, false],
    [{ LOG_LEVEL: 'debug' }, true, true],
    [{ MCP_PROXY_DEBUG: '1' }, true, true],
    [{ LOG_LEVEL: 'silly' }, false, false],
  ])('are written to stderr according to %o', async (env, warning, debug) => {
    const proxy = await startTalkative(env);
    await proxy.initialize();
    provoke(proxy);
    await proxy.close();
    expect(proxy.stderr.includes('warning:')).toBe(warning);
    expect(proxy.stderr.includes('debug:')).toBe(debug);
  });

  it('never contain a secret, a token or a signature', async () => {
    const proxy = await startTalkative({
      MCP_PROXY_DEBUG: '1',
      AWS_SECRET_ACCESS_KEY: SECRET,
      AWS_SESSION_TOKEN: TOKEN,
    });
    await proxy.initialize();
    await proxy.request('logging/setLevel', { level: 'debug' });
    await proxy.call('echo', { text: 'argument' });
    provoke(proxy);
    await proxy.close();
    const said = proxy.stderr + JSON.stringify(proxy.lines);
    for (const secret of [SECRET, TOKEN, 'AWS4-HMAC-SHA256', 'Signature=', 'argument']) {
      expect(said).not.toContain(secret);
    }
  });
});
