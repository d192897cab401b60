import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** A part of the files of one program run. */
export interface JournalPath {
  readonly path: string;
  /** Unique name of the run, equal in all its parts. */
  readonly run: string;
  readonly part: number;
}

/** Creates a name such as `20261121T114539Z-4711-a0b1c2`. Names sort by time. */
export function createRunName(startedAt: Date, pid: number, random: string): string {
  const time = startedAt.toISOString().replace(/[-:]|\.\d+/g, '');
  return `${time}-${pid}-${random}`;
}

export function getPartPath(folder: string, run: string, part: number): string {
  return join(folder, `${run}.${part}.jsonl`);
}

/** Temporary path of a part until its head and the sessions carried over are written. */
export function getTemporaryPath(path: string): string {
  return `${path}.tmp`;
}

export function isUnfinished(name: string): boolean {
  return name.endsWith('.jsonl.tmp');
}

const PART = /^(.+)\.(\d{1,9})\.jsonl$/;

export function isPart(name: string): boolean {
  return PART.test(name);
}

/** All journal files, sorted by program start and part; empty if the folder does not exist. */
export async function listJournalPaths(folder: string): Promise<JournalPath[]> {
  const paths: JournalPath[] = [];
  for (const name of await listFileNames(folder)) {
    const [, run, part] = PART.exec(name) ?? [];
    if (run && part) paths.push({ path: join(folder, name), run, part: Number(part) });
  }
  return paths.sort((a, b) => (a.run < b.run ? -1 : a.run > b.run ? 1 : a.part - b.part));
}

/** The names in a folder; empty if it does not exist. */
export async function listFileNames(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw thrown;
  }
}
