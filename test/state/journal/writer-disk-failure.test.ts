import * as nodeFiles from 'node:fs/promises';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { readJournal, readSessionFacts } from '../../../src/state/journal/reader.ts';
import type { FileSystem } from '../../../src/state/journal/segment.ts';
import { WriteBuffer } from '../../../src/state/journal/writer.ts';
import { eventually } from '../../fixtures/eventually.ts';
import { openJournal, temporaryFolder } from './fixture.ts';
import { at, call, started } from './records.ts';

/** A disk that a test can break: `code` fails every write after `room` bytes of it. */
class BreakableDisk {
  code: string | undefined;
  room = 0;
  hangs = false;
  readonly #handles: nodeFiles.FileHandle[] = [];

  get files(): FileSystem {
    const open = async (...args: Parameters<FileSystem['open']>) => {
      const handle = await nodeFiles.open(...args);
      this.#handles.push(handle);
      const write = handle.write.bind(handle) as (bytes: Buffer) => ReturnType<typeof handle.write>;
      return Object.assign(handle, { write: (bytes: Buffer) => this.#write(bytes, write) });
    };
    const unlink: FileSystem['unlink'] = async (path) => {
      if (this.code !== undefined) throw this.#failure('unlink');
      await nodeFiles.unlink(path);
    };
    return { ...nodeFiles, open, unlink };
  }

  /** Must not be closed while the disk hangs. */
  async close(): Promise<void> {
    await Promise.all(this.#handles.map((handle) => handle.close().catch(() => {})));
  }

  async #write<T>(bytes: Buffer, write: (bytes: Buffer) => Promise<T>): Promise<T> {
    if (this.hangs) return new Promise<T>(() => {});
    if (this.code === undefined) return write(bytes);
    if (this.room > 0) {
      const some = bytes.subarray(0, this.room);
      this.room = 0;
      return write(some);
    }
    throw this.#failure('write');
  }

  #failure(call: string): Error {
    return Object.assign(new Error(`${this.code}: ${call}`), { code: this.code });
  }
}

const typesIn = async (folder: string) =>
  (await readJournal(folder)).files.map(({ records }) => records.map(({ type }) => type));

describe.each(['ENOSPC', 'EROFS'])('if writing fails with %s', (code) => {
  test('the failure is reported once, no caller waits, and a later file lists all sessions', async () => {
    const folder = await temporaryFolder();
    const disk = new BreakableDisk();
    const { journal, complaints } = openJournal(folder, { files: disk.files, heartbeat: 10 });
    await journal.recordNow(started('before'));
    await journal.recordNow(started('stopped'));

    disk.code = code;
    await journal.recordNow({
      type: 'session.stopped',
      at: at(1),
      session: 'stopped',
      wasGone: false,
    });
    await journal.recordNow(started('meanwhile'));
    journal.record(call('before', 2));
    expect(complaints).toEqual([expect.stringContaining(folder)]);
    expect(complaints[0]).toContain('AGENTCORE_STATE_DIR');
    expect(complaints[0]).toContain(code);

    disk.code = undefined;
    await eventually(async () =>
      expect(await typesIn(folder)).toEqual([
        ['program', 'session.started', 'session.started'],
        [
          'program',
          'session.carried',
          'session.carried',
          'session.stopped',
          'session.started',
          'call',
        ],
      ]),
    );
    const { facts } = await readSessionFacts(folder);
    expect(facts.get('before')).toMatchObject({ calls: 1 });
    expect(facts.get('stopped')).toMatchObject({ end: { how: 'stopped' } });
    expect(facts.get('meanwhile')?.end).toBeUndefined();
    expect(complaints).toHaveLength(1);
  });
});

test('a partly written line is not continued, and no record counts twice', async () => {
  const folder = await temporaryFolder();
  const disk = new BreakableDisk();
  const { journal } = openJournal(folder, { files: disk.files, heartbeat: 10 });
  await journal.recordNow(started('a'));
  disk.code = 'ENOSPC';
  disk.room = JSON.stringify(call('a', 1)).length + 20;
  journal.record(call('a', 1));
  await journal.recordNow(call('a', 2));
  disk.code = undefined;
  await eventually(async () =>
    expect((await readSessionFacts(folder)).facts.get('a')?.calls).toBe(2),
  );
  const { files } = await readJournal(folder);
  expect(files.map(({ damaged }) => damaged)).toEqual([1, 0]);
  expect((await readFile(files[0]?.path as string, 'utf8')).endsWith('\n')).toBe(false);
  expect(files[1]?.records.filter(({ type }) => type === 'call')).toEqual([call('a', 2)]);
});

test('a caller waits no longer than until a write fails', async () => {
  const folder = await temporaryFolder();
  const disk = new BreakableDisk();
  const { journal, complaints } = openJournal(folder, { files: disk.files });
  disk.code = 'ENOSPC';
  // No timer ends the wait.
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  await Promise.all([journal.recordNow(started('a')), journal.recordNow(started('b'))]);
  await journal.recordNow(started('c'));
  expect(complaints).toHaveLength(1);
});

test('a disk that does not respond delays no caller', async () => {
  const folder = await temporaryFolder();
  const disk = new BreakableDisk();
  const { journal, complaints } = openJournal(folder, { files: disk.files, maxWaitMs: 100 });
  disk.hangs = true;
  await journal.recordNow(started('a'));
  expect(complaints).toEqual([expect.stringContaining('not answered')]);
  await journal.close();
  await disk.close();
});

test('a folder that cannot be created is reported once, and used as soon as it can be created', async () => {
  const file = join(await temporaryFolder(), 'state');
  await writeFile(file, 'not a folder');
  const folder = join(file, 'journal');
  const { journal, complaints } = openJournal(folder, { heartbeat: 10 });
  await journal.recordNow(started('a'));
  await journal.recordNow(started('b'));
  expect(complaints).toEqual([expect.stringMatching(/ENOTDIR|EEXIST/)]);
  await rm(file);
  await eventually(async () =>
    expect(await typesIn(folder)).toEqual([['program', 'session.started', 'session.started']]),
  );
});

test.each(['file', 'folder'])(
  'if its %s is deleted, a new file contains the sessions',
  async (what) => {
    const folder = join(await temporaryFolder(), 'journal');
    const { journal, complaints } = openJournal(folder, { heartbeat: 10 });
    await journal.recordNow(started('a'));
    const [file] = (await readJournal(folder)).files;
    await rm(what === 'folder' ? folder : (file?.path as string), { recursive: true });
    await eventually(async () =>
      expect(await typesIn(folder)).toEqual([['program', 'session.carried']]),
    );
    await journal.recordNow(call('a'));
    expect((await readSessionFacts(folder)).facts.get('a')).toMatchObject({ calls: 1 });
    expect(complaints).toEqual([]);
  },
);

test('a file that was replaced by another is no longer written to', async () => {
  const folder = await temporaryFolder();
  const { journal } = openJournal(folder, { heartbeat: 10 });
  await journal.recordNow(started('a'));
  const path = (await readJournal(folder)).files[0]?.path as string;
  await rm(path);
  await writeFile(path, '');
  await eventually(async () =>
    expect(await typesIn(folder)).toEqual([['program', 'session.carried']]),
  );
  expect(await readFile(path, 'utf8')).toBe('');
});

test('a journal that was closed without a disk stays closed', async () => {
  const folder = join(await temporaryFolder(), 'file', 'journal');
  await mkdir(join(folder, '..', '..'), { recursive: true });
  await writeFile(join(folder, '..'), '');
  const { journal, complaints } = openJournal(folder);
  journal.record(started('a'));
  await journal.close();
  expect(complaints).toHaveLength(1);
});

describe('while the disk accepts no writes', () => {
  const bounds = { records: 3, characters: 100_000 };

  test('calls beyond a bound are dropped and counted, sessions are kept', () => {
    const buffer = new WriteBuffer(bounds);
    for (let i = 0; i < 5; i++) buffer.add(call('a', i));
    buffer.add(started('b'));
    expect(buffer.take(1e9).map(({ record }) => record)).toEqual([
      call('a', 0),
      call('a', 1),
      call('a', 2),
      started('b'),
    ]);
    expect(buffer.takeDropped()).toBe(2);
    expect(buffer.takeDropped()).toBe(0);
  });

  test('large records are bounded by their size', () => {
    const buffer = new WriteBuffer({ records: 1_000, characters: 1_000 });
    for (let i = 0; i < 10; i++) buffer.add(call('a', i, { result: 'x'.repeat(400) }));
    expect(buffer.take(1e9)).toHaveLength(2);
  });

  test('sessions that began and ended meanwhile are dropped, the others are kept', () => {
    const buffer = new WriteBuffer(bounds);
    buffer.add({ type: 'session.stopped', at: at(0), session: 'known before', wasGone: false });
    buffer.add(started('running'));
    for (let i = 0; i < 100; i++) {
      buffer.add(started(`s${i}`));
      buffer.add({ type: 'session.stopped', at: at(1), session: `s${i}`, wasGone: false });
    }
    const sessions = buffer.take(1e9).map(({ record }) => 'session' in record && record.session);
    expect(sessions.slice(0, 2)).toEqual(['known before', 'running']);
    expect(sessions.length).toBeLessThan(10);
  });

  test('the journal reports the number of missing records', async () => {
    const folder = await temporaryFolder();
    const disk = new BreakableDisk();
    const { journal } = openJournal(folder, { files: disk.files, heartbeat: 10 });
    disk.code = 'ENOSPC';
    await journal.recordNow(started('a'));
    for (let i = 0; i < 10_050; i++) journal.record(call('a', i));
    disk.code = undefined;
    await eventually(async () => {
      const { files } = await readJournal(folder, { types: ['error'] });
      expect(files[0]?.records).toEqual([
        expect.objectContaining({ message: expect.stringMatching(/missing here: 51\.$/) }),
      ]);
    });
  });
});
