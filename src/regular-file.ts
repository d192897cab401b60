import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { AgentCoreError } from './error.ts';
import { describeFileError } from './file-failure.ts';

/** Bytes per read. */
const CHUNK_BYTES = 64 * 1024;

/**
 * Reads a document that the user named. Never blocks on a FIFO or a device. Reads at most
 * `maxBytes`, even if the file grows meanwhile.
 *
 * @throws {AgentCoreError} `config` if the path is no regular file, or the file is too large.
 * @throws {NodeJS.ErrnoException} if the file is missing or cannot be read.
 */
export function readRegularFile(path: string, maxBytes: number): Buffer {
  // Check the path first: opening a device can have an effect. Check the open file again, because
  // the path may be replaced in between.
  checkIsRegular(path, statSync(path));
  const { O_RDONLY, O_NONBLOCK = 0, O_NOCTTY = 0 } = constants;
  const descriptor = openSync(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  try {
    const status = fstatSync(descriptor);
    checkIsRegular(path, status);
    if (status.size > maxBytes) throw createTooLargeError(path, maxBytes);
    return readAtMost(descriptor, path, maxBytes);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Reads a UTF-8 document. Every failure has a message for the user.
 *
 * @throws {AgentCoreError} `config`
 */
export function readRegularText(path: string, maxBytes: number): string {
  try {
    return decodeUtf8(readRegularFile(path, maxBytes));
  } catch (cause) {
    if (cause instanceof AgentCoreError) throw cause;
    throw new AgentCoreError('config', `Could not read ${path}: ${describeFileError(cause)}`, {
      cause,
    });
  }
}

/**
 * @throws {Error} if the bytes are not UTF-8. A leading byte order mark is removed.
 */
export function decodeUtf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Error('it is not text in UTF-8', { cause });
  }
}

function readAtMost(descriptor: number, path: string, maxBytes: number): Buffer {
  const chunks: Buffer[] = [];
  for (let total = 0; ; ) {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const count = readSync(descriptor, chunk, 0, chunk.length, null);
    if (count === 0) return Buffer.concat(chunks, total);
    total += count;
    if (total > maxBytes) throw createTooLargeError(path, maxBytes);
    chunks.push(chunk.subarray(0, count));
  }
}

function checkIsRegular(path: string, status: Stats): void {
  if (status.isFile()) return;
  throw new AgentCoreError(
    'config',
    `Could not read ${path}: it is ${getFileKind(status)}, not a regular file. Name a regular file`,
  );
}

function getFileKind(status: Stats): string {
  if (status.isDirectory()) return 'a folder';
  if (status.isFIFO()) return 'a FIFO';
  if (status.isSocket()) return 'a socket';
  return 'a device';
}

function createTooLargeError(path: string, maxBytes: number): AgentCoreError {
  return new AgentCoreError(
    'config',
    `Could not read ${path}: it is larger than ${maxBytes} bytes. Name a smaller file`,
  );
}
