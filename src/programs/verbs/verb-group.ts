import { type Command, InvalidArgumentError } from 'commander';
import type { Environment } from '../../environment.ts';
import { waitForShutdown } from '../ending.ts';
import type { ProgramStreams } from '../main.ts';

/** Context for a group of verbs that adds itself to the command line. */
export interface VerbGroup {
  readonly cli: Command;
  readonly env: Environment;
  readonly streams: ProgramStreams;
  /** Sets the exit code. */
  readonly exit: (code: number) => void;
}

/**
 * Aborts on Ctrl-C, and when the reader of the output closes (`log | head`), which is not an error.
 */
export function createShutdownSignal(streams: ProgramStreams): AbortSignal {
  const ending = new AbortController();
  const end = () => ending.abort();
  streams.stdout.on('error', end).on('close', end);
  void waitForShutdown(streams).then(end);
  return ending.signal;
}

/** Collects the values of a repeatable option. */
export function append(value: string, values: readonly string[] = []): readonly string[] {
  return [...values, value];
}

export function readPort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new InvalidArgumentError('It must be a whole number from 0 to 65535.');
}

export function readSeconds(text: string): number {
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds > 0 && seconds <= 3600) return seconds;
  throw new InvalidArgumentError('It must be a number of seconds above 0 and up to 3600.');
}

export function readCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new InvalidArgumentError('It must be a whole number above 0.');
}

export function readDays(text: string): number {
  const days = Number(text);
  if (text.trim() !== '' && Number.isFinite(days) && days >= 0) return days;
  throw new InvalidArgumentError('It must be a number of days, 0 or more.');
}

/**
 * Only revisions without a handshake. With a handshake, the client and the server negotiate the
 * revision.
 */
export function readRevision(text: string): string {
  if (/^\d{4}-\d{2}-\d{2}$/.test(text) && text >= '2026-07-28') return text;
  throw new InvalidArgumentError(
    'It must be 2026-07-28 or later; go without it for revisions up to 2025-11-25.',
  );
}
