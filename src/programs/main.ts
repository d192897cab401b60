import module from 'node:module';
import type { Readable, Writable } from 'node:stream';
import type { Environment } from '../environment.ts';
import { AgentCoreError, messageOf } from '../error.ts';
import { escapeLines } from '../log.ts';

/** Minimum Node version: shipped with VS Code 1.101 and required by package.json. */
const OLDEST = '22.15';
/** Milliseconds for the last output to leave the process. */
export const OUTPUT_ENDS_MS = 500;

/** Streams of a program. */
export interface ProgramStreams {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Set by a program that needs a clean shutdown after an uncaught error. */
  onFault?: () => void;
}

/** Streams of the process. Opens stdin on first use. */
class ProcessStreams implements ProgramStreams {
  readonly stdout = process.stdout;
  readonly stderr = process.stderr;
  onFault?: () => void;

  get stdin(): Readable {
    return process.stdin;
  }
}

type Program = (env: Environment, streams: ProgramStreams) => Promise<number>;

/**
 * Runs a program and exits with its code: 2 for invalid usage or configuration, 1 for other
 * failures. Failures print a message on stderr. Enables V8's compile cache for the program's
 * imports.
 */
export async function main(program: Program): Promise<void> {
  if (isTooOld(process.versions.node)) {
    process.stderr.write(
      `agentcore-mcp needs Node ${OLDEST} or newer, and this is ${process.version}\n`,
    );
    process.exit(1);
  }
  module.enableCompileCache();
  // A closed stderr must not crash the process.
  process.stderr.on('error', () => undefined);
  const streams = new ProcessStreams();
  let isFaulty = false;
  process.on('uncaughtException', (thrown) => {
    if (!streams.onFault) return void fail(thrown);
    // The program is shutting down; report only the first error.
    if (!isFaulty) process.stderr.write(`agentcore-mcp: ${escapeLines(messageOf(thrown))}\n`);
    isFaulty = true;
    streams.onFault();
  });
  try {
    const code = await program(process.env, streams);
    await exit(isFaulty ? 1 : code);
  } catch (thrown) {
    await fail(thrown);
  }
}

function isTooOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST.split('.').map(Number);
  return major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
}

async function fail(thrown: unknown): Promise<void> {
  process.stderr.write(`agentcore-mcp: ${escapeLines(messageOf(thrown))}\n`);
  const isUsage =
    thrown instanceof AgentCoreError && (thrown.code === 'usage' || thrown.code === 'config');
  await exit(isUsage ? 2 : 1);
}

async function exit(code: number): Promise<void> {
  // Keep-alive sockets would keep the process running, and a plain exit would truncate the output.
  setTimeout(() => process.exit(code), OUTPUT_ENDS_MS).unref();
  await Promise.all([process.stdout, process.stderr].map(flushed));
  process.exit(code);
}

async function flushed(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.writableLength > 0) await new Promise((resolve) => stream.write('', resolve));
}
