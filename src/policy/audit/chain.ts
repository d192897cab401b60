import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

/** Stands for what comes before the first record of all. */
export const NO_HASH = '0'.repeat(64);

const CHAINED = /^(\{.*),"hash":"([\da-f]{64})"\}$/s;
/** Bytes from a file's end in which its last whole line must be; no record is as long. */
const TAIL = 256 * 1024;

/** A record as a line of the chain, its line feed included, and its hash. */
export function chained(record: object, before: string): { line: string; hash: string } {
  const body = JSON.stringify(record).slice(0, -1);
  const hash = hashOf(before, body);
  return { line: `${body},"hash":"${hash}"}\n`, hash };
}

/** What the head of a file, which is outside of the chain, adds to the hash before it. */
export function withHead(before: string, head: string): string {
  return hashOf(before, head.trimEnd());
}

/** The hash of a line that follows on `before`; undefined where it does not, or was changed. */
export function verified(line: string, before: string): string | undefined {
  const [, body, hash] = CHAINED.exec(line) ?? [];
  return body !== undefined && hash === hashOf(before, body) ? hash : undefined;
}

/** The hash of the last whole record of a file; undefined where it has none. */
export async function lastHashOf(path: string): Promise<string | undefined> {
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

function hashOf(before: string, body: string): string {
  return createHash('sha256').update(before).update('\n').update(body).digest('hex');
}
