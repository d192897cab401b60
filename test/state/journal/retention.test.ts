import { readdir, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { JournalRecord, ProgramRecord } from '../../../src/state/journal/records.ts';
import { MAX_LIFETIME } from '../../../src/state/journal/records.ts';
import { prune } from '../../../src/state/journal/retention.ts';
import { eventually } from '../../fixtures/eventually.ts';
import {
  deadHead,
  foreignHead,
  openJournal,
  startWriter,
  temporaryFolder,
  writePart,
} from './fixture.ts';
import { at, call, facts, started } from './records.ts';

const MINUTE = 60_000;
const getLifetime = () => 10 * MINUTE;
/** Prunes everything that may be removed, this many seconds after the start. */
const pruneAll = (folder: string, seconds: number, maxAge = 0) =>
  prune(folder, { now: new Date(at(seconds)), getLifetime, maxAge, maxBytes: 0 });

const stopped = (session: string, seconds = 1): JournalRecord => ({
  type: 'session.stopped',
  at: at(seconds),
  session,
  wasGone: false,
});
const carried = (session: string, seconds = 2): JournalRecord => ({
  type: 'session.carried',
  at: at(seconds),
  session,
  facts: facts(session),
});

test('files within the limits of age and size stay', async () => {
  const folder = await temporaryFolder();
  await writePart(folder, 'run', deadHead(), [started('a'), stopped('a')]);
  const report = await prune(folder, { now: new Date(at(60)), getLifetime });
  expect(report).toMatchObject({ removed: [], problems: [] });
  expect(await readdir(folder)).toHaveLength(1);
});

test('a missing folder has nothing to remove', async () => {
  const folder = join(await temporaryFolder(), 'nowhere');
  expect(await prune(folder)).toEqual({ removed: [], bytes: 0, problems: [] });
});

test('files that are too old are removed', async () => {
  const folder = await temporaryFolder();
  const old = await writePart(folder, 'old', deadHead(), [started('a'), stopped('a')]);
  const day = 24 * 3_600;
  const recent = new Date(at(29 * day));
  await writePart(folder, 'recent', deadHead(), [started('b'), stopped('b')], recent);
  const report = await prune(folder, { now: new Date(at(30 * day + 1)), getLifetime });
  expect(report.removed).toEqual([old]);
  expect(await readdir(folder)).toEqual(['recent.0.jsonl']);
});

test('beyond the size limit, the oldest files are removed first, and no more than necessary', async () => {
  const folder = await temporaryFolder();
  for (const [minute, run] of ['c', 'a', 'b'].entries()) {
    await writePart(folder, run, deadHead(), [call('x')], new Date(at(minute * 60)));
  }
  const all = await prune(folder, { now: new Date(at(300)), getLifetime });
  const maxBytes = all.bytes - 1;
  const report = await prune(folder, { now: new Date(at(300)), getLifetime, maxBytes });
  expect(report.removed.map((path) => basename(path))).toEqual(['c.0.jsonl']);
  expect(report.bytes).toBeLessThanOrEqual(maxBytes);
});

describe('a file is kept', () => {
  test('while it is the only record of a session that may still run', async () => {
    const folder = await temporaryFolder();
    await writePart(folder, 'dead', deadHead(), [started('a')]);
    await writePart(folder, 'elsewhere', foreignHead(), [started('b')]);
    expect((await pruneAll(folder, 600)).removed).toEqual([]);
    expect((await pruneAll(folder, 3_601)).removed).toHaveLength(2);
  });

  test('while a detached session may still run', async () => {
    const folder = await temporaryFolder();
    await writePart(folder, 'run', deadHead(), [
      started('a'),
      { type: 'session.left', at: at(1), session: 'a' },
    ]);
    expect((await pruneAll(folder, 599)).removed).toEqual([]);
    expect((await pruneAll(folder, 601)).removed).toHaveLength(1);
  });

  test('for the lifetime of a session after its latest call', async () => {
    const folder = await temporaryFolder();
    await writePart(folder, 'run', deadHead(), [started('a'), call('a', 300)]);
    expect((await pruneAll(folder, 700)).removed).toEqual([]);
    expect((await pruneAll(folder, 901)).removed).toHaveLength(1);
  });

  test('for the longest possible lifetime if the actual one is unknown', async () => {
    const folder = await temporaryFolder();
    await writePart(folder, 'run', deadHead(), [started('a')]);
    const seconds = MAX_LIFETIME / 1000;
    const bounds = { maxAge: 0, maxBytes: 0 };
    const early = await prune(folder, { now: new Date(at(seconds - 1)), ...bounds });
    expect(early.removed).toEqual([]);
    const late = await prune(folder, { now: new Date(at(seconds + 1)), ...bounds });
    expect(late.removed).toHaveLength(1);
  });

  test('while its program is alive, even if it is empty', async () => {
    const folder = await temporaryFolder();
    const child = await startWriter(folder, 'a');
    const report = await prune(folder, {
      now: new Date(Date.now() + 3 * MAX_LIFETIME),
      maxAge: 0,
      maxBytes: 0,
    });
    expect(report.removed).toEqual([]);
    expect(child.exitCode).toBeNull();
  });

  test('while a program elsewhere sent a heartbeat within the hour', async () => {
    const folder = await temporaryFolder();
    await writePart(folder, 'run', foreignHead(), []);
    expect((await pruneAll(folder, 3_599)).removed).toEqual([]);
    expect((await pruneAll(folder, 3_601)).removed).toHaveLength(1);
  });

  test('while without it a stopped session would seem to run', async () => {
    const folder = await temporaryFolder();
    const cli = await writePart(folder, 'cli', deadHead({ program: 'cli' }), [stopped('a')]);
    const both = [started('a'), started('b')];
    const proxy = await writePart(folder, 'proxy', deadHead(), both, new Date(at(60)));
    expect((await pruneAll(folder, 300)).removed).toEqual([]);
    // Once b cannot run any more, neither can a, and both files are removed.
    expect((await pruneAll(folder, 601)).removed).toEqual([cli, proxy]);
  });
});

describe('a file is removed', () => {
  test('once a later part carries over its sessions', async () => {
    const folder = await temporaryFolder();
    const first = await writePart(folder, 'run', deadHead(), [started('a')]);
    await writePart(folder, 'run', deadHead({ part: 1 }), [carried('a')], new Date(at(60)));
    expect((await pruneAll(folder, 300)).removed).toEqual([first]);
  });

  test('but not the later part, however old it looks', async () => {
    const folder = await temporaryFolder();
    await writePart(folder, 'run', deadHead(), [started('a')], new Date(at(60)));
    await writePart(folder, 'run', deadHead({ part: 1 }), [carried('a')]);
    const { removed } = await pruneAll(folder, 300);
    expect(removed.map((path) => basename(path))).toEqual(['run.0.jsonl']);
  });

  test('also if it is an earlier part of a living program', async () => {
    const folder = await temporaryFolder();
    const { journal } = openJournal(folder, { partBytes: 100 });
    for (const record of [started('a'), call('a'), call('a')]) await journal.recordNow(record);
    const now = new Date(Date.now() + 1_000);
    const { removed } = await prune(folder, { now, maxAge: 0, maxBytes: 0 });
    expect(removed.map((path) => basename(path))).toEqual([expect.stringMatching(/\.0\.jsonl$/)]);
  });

  test('once its sessions are stopped, in whichever file that is recorded', async () => {
    const folder = await temporaryFolder();
    const proxy = await writePart(folder, 'proxy', deadHead(), [started('a')]);
    const cli = await writePart(
      folder,
      'cli',
      deadHead({ program: 'cli' }),
      [stopped('a')],
      new Date(at(60)),
    );
    expect((await pruneAll(folder, 300)).removed).toEqual([proxy, cli]);
  });
});

test('an unreadable file is removed because of its age, not to make room', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'garbage.0.jsonl');
  await writeFile(path, 'garbage');
  await utimes(path, new Date(at(0)), new Date(at(0)));
  expect((await pruneAll(folder, 100, 200_000)).removed).toEqual([]);
  expect((await pruneAll(folder, 300, 200_000)).removed).toEqual([path]);
});

test('files that are not part of the journal stay', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'notes.txt'), 'mine');
  await prune(folder, { now: new Date(8.64e15), maxAge: 0, maxBytes: 0 });
  expect(await readdir(folder)).toEqual(['notes.txt']);
});

test('the partial header of a crashed program is removed after a day', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'run.1.jsonl.tmp');
  await writeFile(path, '');
  await utimes(path, new Date(at(0)), new Date(at(0)));
  const day = 24 * 3_600;
  expect((await prune(folder, { now: new Date(at(day - 1)) })).removed).toEqual([]);
  expect((await prune(folder, { now: new Date(at(day + 1)) })).removed).toEqual([path]);
});

test('concurrent runs remove each file once, and none fails', async () => {
  const folder = await temporaryFolder();
  const head: ProgramRecord = deadHead();
  for (let i = 0; i < 20; i++) await writePart(folder, `run${i}`, head, [call('x')]);
  const reports = await Promise.all([1, 2, 3, 4].map(() => pruneAll(folder, 60)));
  expect(reports.flatMap(({ removed }) => removed)).toHaveLength(20);
  expect(reports.flatMap(({ problems }) => problems)).toEqual([]);
  expect(reports.map(({ bytes }) => bytes)).toEqual([0, 0, 0, 0]);
});

test('a program removes old files some time after its first record', async () => {
  const folder = await temporaryFolder();
  await writePart(folder, 'old', deadHead(), [started('a')], new Date(0));
  const now = () => new Date(Date.now() + MAX_LIFETIME);
  const { journal } = openJournal(folder, { pruneAfter: 1, now });
  await journal.recordNow(started('b'));
  await eventually(async () => expect(await readdir(folder)).toHaveLength(1));
});
