import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { openFileStore } from '../../../src/state/files/file-store.ts';
import { createProgramRecord } from '../../../src/state/journal/processes.ts';
import type { JournalRecord, ProgramRecord } from '../../../src/state/journal/records.ts';
import { serializeRecord } from '../../../src/state/journal/records.ts';
import { getPartPath } from '../../../src/state/journal/segment.ts';
import { JournalWriter, type JournalWriterOptions } from '../../../src/state/journal/writer.ts';
import type { StateStore } from '../../../src/state/store.ts';
import { MAX_WAIT_MS } from '../../fixtures/bounds.ts';
import { START } from './records.ts';

/** The header record of a program on another host. */
export function foreignHead(more: Partial<ProgramRecord> = {}): ProgramRecord {
  const own = createProgramRecord({ program: 'proxy', version: '1.0.0', part: 0, at: START });
  return { ...own, host: 'another-host', ...more };
}

/** The header record of a program whose process id now belongs to another process. */
export function deadHead(more: Partial<ProgramRecord> = {}): ProgramRecord {
  const own = createProgramRecord({ program: 'proxy', version: '1.0.0', part: 0, at: START });
  return { ...own, processStart: '1', ...more };
}

/** A folder that is removed after the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'journal-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes a file as a program would. Returns its path. */
export async function writePart(
  folder: string,
  run: string,
  head: ProgramRecord,
  records: readonly JournalRecord[],
  touchedAt: Date = START,
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = getPartPath(folder, run, head.part);
  await writeFile(path, [head, ...records].map(serializeRecord).join(''));
  await utimes(path, touchedAt, touchedAt);
  return path;
}

/** The state of all programs in a directory, for a program named `test`. */
export function openStore(directory: string): StateStore {
  const store = openFileStore(directory, {
    program: 'test',
    version: '1.2.3',
    onFailure: () => undefined,
  });
  onTestFinished(() => store.close());
  return store;
}

/** A journal of this process that is closed after the test, and its failure messages. */
export function openJournal(folder: string, options: Partial<JournalWriterOptions> = {}) {
  const complaints: string[] = [];
  const journal = new JournalWriter({
    folder,
    program: 'proxy',
    version: '1.2.3',
    onFailure: (sentence) => complaints.push(sentence),
    maxWaitMs: MAX_WAIT_MS,
    ...options,
  });
  onTestFinished(() => journal.close());
  return { journal, complaints };
}

/**
 * A process that writes a journal. Resolves once it has reported that its session `session` and
 * then `count` calls are written.
 */
export async function startWriter(
  folder: string,
  session: string,
  count = 0,
): Promise<ChildProcess> {
  const program = fileURLToPath(new URL('./writer.ts', import.meta.url));
  const child = fork(program, [folder, session, String(count)], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child, 'message');
  return child;
}

/** Kills a process without warning. */
export async function kill(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}
