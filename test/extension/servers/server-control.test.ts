import { beforeEach, describe, expect, it } from 'vitest';
import type { Prepared } from '../../../src/extension/servers/definition-provider.ts';
import { UserCancelledError } from '../../../src/extension/servers/preparation.ts';
import { ServerController } from '../../../src/extension/servers/server-control.ts';
import { readEntry } from '../../../src/extension/settings/runtime-entry.ts';
import { EventEmitter, commands as stub, workspace } from '../vscode-stub.ts';
import { journalOfServers } from './journal-of-servers.ts';

const START = 'workbench.mcp.startServer';
const STOP = 'workbench.mcp.stopServer';
const ID = 'publisher.name/weather';
const ARN = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/weather-Ab12Cd34Ef';
const WEATHER = readEntry({ name: 'weather', arn: ARN, qualifier: 'prod' });

beforeEach(() => {
  stub.handlers.clear();
  stub.run.length = 0;
  workspace.settings = {};
});

async function setUp(timeoutsMs: { known?: number; told?: number; seen?: number } = {}) {
  const journal = await journalOfServers();
  const prepared = new EventEmitter<Prepared>();
  const changed = new EventEmitter<void>();
  const servers = new ServerController({
    extensionId: 'Publisher.Name',
    store: { find: (name) => (name === 'weather' ? WEATHER : undefined) },
    provider: {
      onDidPrepare: prepared.event as never,
      onDidChangeMcpServerDefinitions: changed.event as never,
    },
    running: journal.running,
    timeoutsMs: { again: 1, seen: 1, stopped: 1, ...timeoutsMs },
  });
  const tell = (outcome: Prepared['outcome']) => prepared.fire({ name: 'weather', outcome });
  return { ...journal, servers, tell, definitionsChanged: () => changed.fire() };
}

const asked = (command: string) => stub.run.filter(([id]) => id === command);

describe('starting a server', () => {
  it('is repeated until VS Code knows the server, and ends when its process runs', async () => {
    const { servers, begin, tell, running } = await setUp();
    stub.handlers.set(START, async () => {
      // VS Code may ignore a start within a second after a change, without an error.
      if (asked(START).length < 3) return;
      tell('ready');
      await begin('weather');
    });
    await servers.start('weather');
    expect(running.getRunningPlace('weather')).toBe('here');
    expect(asked(START)).toEqual(Array(3).fill([START, ID, { waitForLiveTools: true }]));
  });

  it('does nothing if the server runs', async () => {
    const { servers, begin } = await setUp();
    await begin('weather');
    await servers.start('weather');
    expect(asked(START)).toEqual([]);
  });

  it('ends at once if the server has answered before', async () => {
    const { servers, begin, recorded } = await setUp({ seen: 60_000 });
    await begin('weather');
    const record = { type: 'call', method: 'initialize', outcome: 'result', at: '2026-01-01' };
    const head = { name: 'weather', parentPid: process.pid, pid: process.pid };
    recorded.fire({ record, head });
    await servers.start('weather');
    expect(asked(START)).toEqual([]);
  });

  it('is not repeated after the user cancelled or saw the error', async () => {
    const { servers, tell } = await setUp();
    stub.handlers.set(START, () => tell('cancelled'));
    await expect(servers.start('weather')).rejects.toThrow(UserCancelledError);
    stub.handlers.set(START, () => {
      tell('failed');
      throw new Error('what was shown already');
    });
    await expect(servers.start('weather')).rejects.toThrow(UserCancelledError);
    expect(asked(START)).toHaveLength(2);
  });

  it('offers the VS Code server list if VS Code never starts the server', async () => {
    const { servers } = await setUp({ known: 5 });
    await expect(servers.start('weather')).rejects.toMatchObject({
      code: 'timeout',
      data: { listsServers: true },
    });
    expect(asked(START).length).toBeGreaterThan(0);
  });

  it('names the setting that disables MCP servers, and does not start any', async () => {
    const { servers } = await setUp();
    workspace.settings = { 'chat.mcp.access': 'none' };
    await expect(servers.start('weather')).rejects.toMatchObject({
      code: 'config',
      data: { setting: 'chat.mcp.access' },
    });
    expect(asked(START)).toEqual([]);
  });

  it('reports the reason if VS Code refuses it', async () => {
    const { servers } = await setUp();
    stub.handlers.set(START, () => Promise.reject(new Error('MCP is switched off')));
    await expect(servers.start('weather')).rejects.toThrow('MCP is switched off');
  });

  it('offers the output of a server that exits at once', async () => {
    const { servers, tell } = await setUp();
    stub.handlers.set(START, () => tell('ready'));
    await expect(servers.start('weather')).rejects.toMatchObject({
      code: 'upstream',
      data: { server: 'weather' },
    });
  });

  it('does not fail if the user stops the server meanwhile', async () => {
    const { servers, begin, end, tell } = await setUp({ seen: 5_000 });
    stub.handlers.set(STOP, () => end(path));
    let path = '';
    let stopped: Promise<void> | undefined;
    stub.handlers.set(START, async () => {
      tell('ready');
      path = await begin('weather');
      stopped = servers.stop('weather');
    });
    await expect(servers.start('weather')).rejects.toThrow(UserCancelledError);
    await stopped;
  });

  it('includes the missing IAM statement if IAM denies the call', async () => {
    const { servers, begin, tell, recorded } = await setUp({ seen: 5_000 });
    stub.handlers.set(START, async () => {
      tell('ready');
      await begin('weather');
      const head = { parentPid: process.pid, name: 'weather' };
      const call = { type: 'call', method: 'initialize', outcome: 'error', code: -32002 };
      recorded.fire({ head, record: { ...call, at: new Date().toISOString() } });
    });
    await expect(servers.start('weather')).rejects.toMatchObject({
      message: 'Access denied: the credentials of runtime "weather" may not call it',
      data: {
        server: 'weather',
        statements: [
          {
            statement: {
              Action: 'bedrock-agentcore:InvokeAgentRuntime',
              Resource: [ARN, `${ARN}/runtime-endpoint/prod`],
            },
          },
        ],
      },
    });
  });

  it('stops waiting when its caller cancels', async () => {
    const { servers, begin, tell } = await setUp();
    const ending = new AbortController();
    stub.handlers.set(START, async () => {
      ending.abort();
      tell('ready');
      await begin('weather');
    });
    await servers.start('weather', ending.signal);
  });
});

it('stopping a server ends when its process has exited', async () => {
  const { servers, begin, end, running } = await setUp();
  const path = await begin('weather');
  stub.handlers.set(STOP, () => end(path));
  await servers.stop('weather');
  expect(running.getRunningPlace('weather')).toBeUndefined();
  expect(asked(STOP)).toEqual([[STOP, ID]]);
});

it('stopping a server fails if its process keeps running', async () => {
  const { servers, begin } = await setUp();
  await begin('weather');
  await expect(servers.stop('weather')).rejects.toMatchObject({ code: 'timeout' });
});

it('restarting a server runs the given action between the two processes', async () => {
  const { servers, begin, end, tell, running } = await setUp();
  const path = await begin('weather', 'first');
  const order: string[] = [];
  stub.handlers.set(STOP, async () => {
    await end(path);
    order.push('stopped');
  });
  stub.handlers.set(START, async () => {
    order.push('started');
    tell('ready');
    await begin('weather', 'second', process.pid, process.ppid);
  });
  await servers.restart('weather', async () => {
    order.push('between');
  });
  expect(order).toEqual(['stopped', 'between', 'started']);
  expect(running.getPids('weather')).toEqual([process.ppid]);
});

describe('a change of a server’s configuration', () => {
  it('is made while the server is stopped, and restarts a server that ran', async () => {
    const { servers, begin, end, tell, running, definitionsChanged } = await setUp();
    const path = await begin('weather', 'first');
    const order: string[] = [];
    stub.handlers.set(STOP, async () => {
      await end(path);
      order.push('stopped');
    });
    stub.handlers.set(START, async () => {
      order.push('started');
      tell('ready');
      await begin('weather', 'second', process.pid, process.ppid);
    });
    await servers.change('weather', async () => {
      order.push('changed');
      queueMicrotask(() => {
        order.push('told to VS Code');
        definitionsChanged();
      });
    });
    expect(order).toEqual(['stopped', 'changed', 'told to VS Code', 'started']);
    expect(running.getPids('weather')).toEqual([process.ppid]);
  });

  it('does not start a server that was stopped', async () => {
    const { servers } = await setUp();
    let isMade = false;
    await servers.change('weather', async () => {
      isMade = true;
    });
    expect(isMade).toBe(true);
    expect(stub.run).toEqual([]);
  });

  it('restarts the server even if nothing changes for VS Code', async () => {
    const { servers, begin, end, tell, running } = await setUp({ told: 1 });
    const path = await begin('weather', 'first');
    stub.handlers.set(STOP, () => end(path));
    stub.handlers.set(START, async () => {
      tell('ready');
      await begin('weather', 'second', process.pid, process.ppid);
    });
    await servers.change('weather', async () => {});
    expect(running.getRunningPlace('weather')).toBe('here');
  });

  it('reports its failure once the server runs again', async () => {
    const { servers, begin, end, tell, running } = await setUp();
    const path = await begin('weather', 'first');
    stub.handlers.set(STOP, () => end(path));
    stub.handlers.set(START, async () => {
      tell('ready');
      await begin('weather', 'second', process.pid, process.ppid);
    });
    const change = () => Promise.reject(new Error('the settings cannot be written'));
    await expect(servers.change('weather', change)).rejects.toThrow('cannot be written');
    expect(running.getPids('weather')).toEqual([process.ppid]);
  });
});
