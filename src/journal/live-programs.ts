import { open, stat } from 'node:fs/promises';
import { type JournalPath, listJournalPaths } from './journal-files.ts';
import { getHostView, getLiveness, type Viewpoint } from './liveness.ts';
import { readSegmentHeader } from './reader.ts';
import { parseRecord } from './record-line.ts';
import type { ProgramRecord } from './records.ts';

/** In bytes; a head is far shorter. */
const MAX_HEADER_BYTES = 16 * 1024;

/**
 * Lists the running programs. Reads only the heads of their files, so frequent calls are cheap.
 * Ignores unreadable files and other formats.
 */
export class RunningPrograms {
  readonly #folder: string;
  readonly #here: Viewpoint;
  /** By path. A head never changes. */
  #heads = new Map<string, ProgramRecord>();

  /** @param folder The journal folder. */
  constructor(folder: string, here: Viewpoint = getHostView()) {
    this.#folder = folder;
    this.#here = here;
  }

  /** One record per program on this machine. Throws if the folder cannot be listed. */
  async list(now = new Date()): Promise<readonly ProgramRecord[]> {
    const heads = new Map<string, ProgramRecord>();
    const runs = new Map<string, { readonly head: ProgramRecord; readonly touchedAt: Date }>();
    for (const { path, run } of await listJournalPaths(this.#folder)) {
      try {
        const status = await stat(path);
        // Opening a named pipe would block until a writer appears.
        if (!status.isFile()) continue;
        const touchedAt = status.mtime;
        const head = this.#heads.get(path) ?? (await readHead(path));
        if (!head) continue;
        heads.set(path, head);
        const known = runs.get(run);
        if (!known || touchedAt > known.touchedAt) runs.set(run, { head, touchedAt });
      } catch {
        // Pruned in the meantime, or not readable for this user.
      }
    }
    this.#heads = heads;
    return [...runs.values()].flatMap(({ head, touchedAt }) =>
      getLiveness(head, touchedAt, now, this.#here) === 'alive' ? [head] : [],
    );
  }
}

/** `undefined` until the first line is complete. */
async function readHead(path: JournalPath['path']): Promise<ProgramRecord | undefined> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(MAX_HEADER_BYTES),
      0,
      MAX_HEADER_BYTES,
      0,
    );
    const end = buffer.subarray(0, bytesRead).indexOf('\n');
    return end < 0 ? undefined : readSegmentHeader(parseRecord(buffer.toString('utf8', 0, end)));
  } finally {
    await file.close();
  }
}
