import { once } from 'node:events';
import type { Children } from './children.ts';
import type { Command } from './command.ts';
import { within } from './deadline.ts';
import { initializeParams } from './mcp-caller.ts';
import { StdioClient } from './stdio-client.ts';

const startLimitMs = 30_000;

/** A started proxy, handshake done. */
export interface StartedProxy {
  readonly client: StdioClient;
  /** From spawn to the answer of `initialize`, in milliseconds. */
  readonly startMs: number;
  close(): Promise<void>;
}

export async function startProxy(
  children: Children,
  command: Command,
  env: NodeJS.ProcessEnv,
): Promise<StartedProxy> {
  const start = performance.now();
  const child = children.spawn(command, env);
  const client = new StdioClient(child);
  const close = () => children.end(child);
  try {
    await within(startLimitMs, 'initialize', client.request('initialize', initializeParams));
    const startMs = performance.now() - start;
    await client.notify('notifications/initialized');
    return { client, startMs, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The least that any Node program costs: `node -e 0` from spawn to exit, in milliseconds. */
export async function timeBareNode(children: Children, env: NodeJS.ProcessEnv): Promise<number> {
  const start = performance.now();
  const child = children.spawn({ file: process.execPath, args: ['-e', '0'] }, env);
  await within(startLimitMs, 'node -e 0', once(child, 'exit'));
  return performance.now() - start;
}
