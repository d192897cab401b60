import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { describe, expect, it } from 'vitest';
import type { Switches } from '../../src/local/config/switches.ts';
import { proxyCommand, proxyTo, textOf } from '../fixtures/proxied-runtime.ts';
import { endWithTest } from '../fixtures/running.ts';
import { fixture, start, statefulMcp, statelessMcp } from '../local/harness.ts';

const isStopped = ({ state }: { state: string }) => state === 'Stopped';

describe('the session mode', () => {
  it('session keeps one microVM for the process, and stops it at the end', async () => {
    for (const server of [statefulMcp(), statelessMcp()]) {
      const local = await start({ server });
      const proxy = proxyTo(local);
      await proxy.initialize();
      expect(await textOf(proxy.call('count'))).toBe('1');
      expect(await textOf(proxy.call('count'))).toBe('2');
      expect(local.sessions()).toHaveLength(1);
      await proxy.close();
      expect(local.sessions().every(isStopped)).toBe(true);
    }
  });

  it.each<[string, Partial<Switches>]>([
    ['the runtime session id', { routeMcpBy: 'runtime-session-id', stopBy: 'runtime-session-id' }],
    ['Mcp-Session-Id', { routeMcpBy: 'mcp-session-id', stopBy: 'mcp-session-id' }],
    [
      'one id for routing and the other for stopping',
      { routeMcpBy: 'runtime-session-id', stopBy: 'mcp-session-id' },
    ],
    ['no returned id', { returnRuntimeSessionId: false }],
    ['204 for notifications', { notificationStatus: 204 }],
  ])('session works the same with %s', async (_, switches) => {
    for (const server of [statefulMcp(), statelessMcp()]) {
      const local = await start({ server }, { switches });
      const proxy = proxyTo(local);
      await proxy.initialize();
      await Promise.all([proxy.call('count'), proxy.call('count')]);
      expect(await textOf(proxy.call('count'))).toBe('3');
      await proxy.close();
      expect(local.sessions().map(isStopped)).toEqual([true]);
    }
  });

  it('identity gives the same principal the same session, and leaves it running', async () => {
    const local = await start({ server: statelessMcp() });
    for (const count of ['1', '2']) {
      const proxy = proxyTo(local, { RUNTIME_SESSION_MODE: 'identity' });
      await proxy.initialize();
      expect(await textOf(proxy.call('count'))).toBe(count);
      await proxy.close();
      expect(proxy.stderr).toBe('');
    }
    expect(local.sessions().map(isStopped)).toEqual([false]);
  });

  it.each(['not-found', 'bad-request'] as const)(
    'identity is ignored for a server that chooses its sessions and rejects the proxy’s id (%s), with one warning',
    async (refusedId) => {
      const local = await start({ server: statefulMcp() }, { switches: { refusedId } });
      const proxy = proxyTo(local, {
        RUNTIME_SESSION_MODE: 'identity',
        LOG_LEVEL: 'warning',
      });
      const { result } = await proxy.initialize();
      expect(result.serverInfo.name).toBe('fixture');
      expect(await textOf(proxy.call('count'))).toBe('1');
      expect(await textOf(proxy.call('count'))).toBe('2');
      expect(proxy.stderr.match(/cannot be shared by identity/g)).toHaveLength(1);
    },
  );

  it('request gives each request a separate session, and stops each', async () => {
    const local = await start({ server: statelessMcp({ warm: 1 }) });
    const proxy = proxyTo(local, { RUNTIME_SESSION_MODE: 'request' });
    await proxy.initialize();
    expect(await textOf(proxy.call('count'))).toBe('1');
    expect(await textOf(proxy.call('count'))).toBe('1');
    await proxy.close();
    expect(local.sessions()).toHaveLength(3);
    expect(local.sessions().every(isStopped)).toBe(true);
  });

  it('request sends each answer to the microVM that sent the request, even for equal requests', async () => {
    const local = await start({ server: statelessMcp() });
    const proxy = proxyTo(local, { RUNTIME_SESSION_MODE: 'request' });
    const calls = [
      proxy.begin('tools/call', { name: 'ask' }),
      proxy.begin('tools/call', { name: 'ask' }),
    ];
    for (const said of ['a', 'b']) {
      const asked = await proxy.next(
        'a question',
        (line) => line.method === 'sampling/createMessage',
      );
      proxy.send({ jsonrpc: '2.0', id: asked.id, result: { said } });
    }
    const heard = await Promise.all(calls.map((id) => textOf(proxy.answerTo(id))));
    expect(heard.map((text) => JSON.parse(text ?? '').result.said).sort()).toEqual(['a', 'b']);
  });
});

describe('the official client', () => {
  it('supports sampling, elicitation, roots, logs and progress through the proxy', async () => {
    const local = await start({
      server: {
        command: [
          process.execPath,
          '--disable-warning=ExperimentalWarning',
          fixture('../../fixtures/interactive-server.ts'),
        ],
        sessions: 'stateful',
      },
    });
    const client = new Client(
      { name: 'official', version: '1' },
      { capabilities: { sampling: {}, elicitation: {}, roots: {} } },
    );
    client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => ({
      model: 'scripted',
      role: 'assistant',
      content: { type: 'text', text: `model on ${JSON.stringify(params.messages[0]?.content)}` },
    }));
    client.setRequestHandler(ElicitRequestSchema, () => ({
      action: 'accept',
      content: { name: 'Ada' },
    }));
    client.setRequestHandler(ListRootsRequestSchema, () => ({
      roots: [{ uri: 'file:///work', name: 'work' }],
    }));
    await client.connect(new StdioClientTransport(proxyCommand(local)));
    endWithTest(client, () => client.close());
    const progress: number[] = [];
    const { content } = await client.callTool({ name: 'interview' }, undefined, {
      onprogress: (report) => progress.push(report.progress),
    });
    expect(content).toEqual([
      { type: 'text', text: 'model on {"type":"text","text":"Who?"}' },
      { type: 'text', text: 'accept Ada' },
      { type: 'text', text: 'file:///work' },
    ]);
    expect(progress).toEqual([1, 2, 3]);
  });

  it('of 2026-07-28 communicates with a server of 2026-07-28', async () => {
    const { Client: ModernClient } = await import('@modelcontextprotocol/client');
    const { StdioClientTransport: ModernStdio } = await import(
      '@modelcontextprotocol/client/stdio'
    );
    const local = await start({
      server: {
        command: [
          process.execPath,
          '--disable-warning=ExperimentalWarning',
          fixture('../../fixtures/modern-server.ts'),
        ],
      },
    });
    const client = new ModernClient(
      { name: 'modern', version: '1' },
      { versionNegotiation: { mode: { pin: '2026-07-28' } } },
    );
    await client.connect(new ModernStdio(proxyCommand(local)));
    endWithTest(client, () => client.close());
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(['greet']);
    const answer = await client.callTool({
      name: 'greet',
      arguments: { name: 'Ada', region: 'eu' },
    });
    expect(answer.content).toEqual([{ type: 'text', text: 'Hello Ada in eu' }]);
    // The client first starts a short-lived process to detect its era, so there were two sessions.
    await client.close();
    await local.until(() => local.sessions().every(isStopped), 'the end of all sessions');
  });
});
