import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

/** Hash before the very first record. */
export const NO_HASH = '0'.repeat(64);

const CHAINED = /^(\{.*),"hash":"([\da-f]{64})"\}$/s;

/** Bytes to read from the end of a file for its last complete line. No record is longer. */
const TAIL = 256 * 1024;

/** Serializes a record as a line of the chain, including its line feed, and returns the hash. */
export function appendToChain(record: object, before: string): { line: string; hash: string } {
  const body = JSON.stringify(record).slice(0, -1);
  const hash = computeHash(before, body);
  return { line: `${body},"hash":"${hash}"}\n`, hash };
}

/** Adds the head of a file to the previous hash. The head is not part of the chain. */
export function withHead(before: string, head: string): string {
  return computeHash(before, head.trimEnd());
}

/** Returns the hash of a line; `undefined` if the line was changed or does not follow `before`. */
export function verifyRecord(line: string, before: string): string | undefined {
  const [, body, hash] = CHAINED.exec(line) ?? [];
  return body !== undefined && hash === computeHash(before, body) ? hash : undefined;
}

/** The hash of the last complete record of a file; `undefined` if there is none. */
export async function readLastHash(path: string): Promise<string | undefined> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    const bytes = Buffer.alloc(Math.min(size, TAIL));
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, size - bytes.length);
    const end = bytes.lastIndexOf(0x0a, bytesRead - 1);
    const lines = bytes.toString('utf8', 0, Math.max(end, 0)).split('\n');
    return CHAINED.exec(lines.at(-1) ?? '')?.[2];
  } finally {
    await handle.close();
  }
}

function computeHash(before: string, body: string): string {
  return createHash('sha256').update(before).update('\n').update(body).digest('hex');
}
