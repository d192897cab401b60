import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** A part of what one run of a program has written. */
export interface JournalPath {
  readonly path: string;
  /** Names the run: the same in all its parts, and nobody else's. */
  readonly run: string;
  readonly part: number;
}

/** The name of a run: `20261121T114539Z-4711-a0b1c2`, so that names sort by time. */
export function runName(startedAt: Date, pid: number, random: string): string {
  const time = startedAt.toISOString().replace(/[-:]|\.\d+/g, '');
  return `${time}-${pid}-${random}`;
}

export function partPath(folder: string, run: string, part: number): string {
  return join(folder, `${run}.${part}.jsonl`);
}

/** What a part is called until its head and the sessions that it carries on are in it. */
export function unfinishedPath(path: string): string {
  return `${path}.tmp`;
}

export function isUnfinished(name: string): boolean {
  return name.endsWith('.jsonl.tmp');
}

const PART = /^(.+)\.(\d{1,9})\.jsonl$/;

export function isPart(name: string): boolean {
  return PART.test(name);
}

/** The files of the journal by start of their program, then by part; none where no folder is. */
export async function journalPaths(folder: string): Promise<JournalPath[]> {
  const paths: JournalPath[] = [];
  for (const name of await namesIn(folder)) {
    const [, run, part] = PART.exec(name) ?? [];
    if (run && part) paths.push({ path: join(folder, name), run, part: Number(part) });
  }
  return paths.sort((a, b) => (a.run < b.run ? -1 : a.run > b.run ? 1 : a.part - b.part));
}

/** Names in a folder; none where no folder is. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw thrown;
  }
}
