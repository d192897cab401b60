import { enableCompileCache } from 'node:module';
import { AgentCoreError, messageOf } from '../error.ts';
import type { ProgramStreams } from './run-proxy.ts';

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
  process.on('uncaughtException', (thrown) => fail(thrown));
  try {
    exit(await program(process.env, process));
  } catch (thrown) {
    fail(thrown);
  }
}

function fail(thrown: unknown): void {
  process.stderr.write(`agentcore-mcp: ${messageOf(thrown)}\n`);
  const isUsage =
    thrown instanceof AgentCoreError && (thrown.code === 'usage' || thrown.code === 'config');
  exit(isUsage ? 2 : 1);
}

function exit(code: number): void {
  // Sockets that are kept alive would hold the process for as long as they stay.
  process.exit(code);
}
