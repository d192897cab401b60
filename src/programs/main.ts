import { enableCompileCache } from 'node:module';
import { AgentCoreError, messageOf } from '../error.ts';
import type { ProgramStreams } from './run-proxy.ts';

/** Milliseconds that the last output has to leave the process. */
const LAST_WORDS = 1_000;

type Program = (
  env: Readonly<Record<string, string | undefined>>,
  streams: ProgramStreams,
) => Promise<number>;

/**
 * Runs a program and exits with its code: 2 with one sentence on stderr where it was called wrongly,
 * 1 where it failed. What the program imports is compiled once and then read from V8's cache.
 */
export async function main(program: Program): Promise<void> {
  enableCompileCache();
  process.on('uncaughtException', (thrown) => void fail(thrown));
  try {
    await exit(await program(process.env, process));
  } catch (thrown) {
    await fail(thrown);
  }
}

async function fail(thrown: unknown): Promise<void> {
  process.stderr.write(`agentcore-mcp: ${messageOf(thrown)}\n`);
  const isUsage =
    thrown instanceof AgentCoreError && (thrown.code === 'usage' || thrown.code === 'config');
  await exit(isUsage ? 2 : 1);
}

async function exit(code: number): Promise<void> {
  // Sockets that are kept alive would hold the process, and a plain exit would cut off what was said.
  setTimeout(() => process.exit(code), LAST_WORDS).unref();
  await Promise.all([process.stdout, process.stderr].map(flushed));
  process.exit(code);
}

async function flushed(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.writableLength > 0) await new Promise((resolve) => stream.write('', resolve));
}
