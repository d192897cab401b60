import module from 'node:module';
import type { Readable, Writable } from 'node:stream';
import type { Environment } from '../environment.ts';
import { AgentCoreError, messageOf } from '../error.ts';
import { escapeLines } from '../log.ts';

/** What VS Code 1.101 ships, and what package.json asks for. */
const OLDEST = '22.15';
/** Milliseconds that the last output has to leave the process. */
const LAST_WORDS = 500;

/** What a program is given besides its environment. */
export interface ProgramStreams {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Set by a program that has something to end when it fails where nobody expects it. */
  onFault?: () => void;
}

/** Of the process; its stdin is opened by whoever first wants it. */
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
 * Runs a program and exits with its code: 2 with one sentence on stderr where it was called wrongly,
 * 1 where it failed. What the program imports is compiled once and then read from V8's cache.
 */
export async function main(program: Program): Promise<void> {
  if (isTooOld(process.versions.node)) {
    process.stderr.write(
      `agentcore-mcp needs Node ${OLDEST} or newer, and this is ${process.version}\n`,
    );
    process.exit(1);
  }
  module.enableCompileCache();
  // What nobody reads is not worth an end.
  process.stderr.on('error', () => undefined);
  const streams = new ProcessStreams();
  let isFaulty = false;
  process.on('uncaughtException', (thrown) => {
    if (!streams.onFault) return void fail(thrown);
    // The program ends by itself; what goes wrong on that way is not worth another word.
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
  // Sockets that are kept alive would hold the process, and a plain exit would cut off what was said.
  setTimeout(() => process.exit(code), LAST_WORDS).unref();
  await Promise.all([process.stdout, process.stderr].map(flushed));
  process.exit(code);
}

async function flushed(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.writableLength > 0) await new Promise((resolve) => stream.write('', resolve));
}
