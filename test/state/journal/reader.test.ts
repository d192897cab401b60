import { appendFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readJournal, readSessionFacts } from '../../../src/state/journal/reader.ts';
import type { JournalRecord } from '../../../src/state/journal/records.ts';
import { deadHead, foreignHead, temporaryFolder, writePart } from './fixture.ts';
import { at, call, facts, START, started } from './records.ts';

test('a missing folder is an empty journal', async () => {
  const folder = join(await temporaryFolder(), 'nowhere');
  expect(await readJournal(folder)).toEqual({ files: [], problems: [] });
});

test('files are sorted by the start of their program and then by part number', async () => {
  const folder = await temporaryFolder();
  for (const part of [10, 2, 9])
    await writePart(folder, '20261121T120000Z-1-aaaaaa', deadHead({ part }), []);
  await writePart(folder, '20261121T110000Z-2-bbbbbb', deadHead(), []);
  const { files } = await readJournal(folder);
  expect(files.map(({ run, part }) => [run.slice(-6), part])).toEqual([
    ['bbbbbb', 0],
    ['aaaaaa', 2],
    ['aaaaaa', 9],
    ['aaaaaa', 10],
  ]);
});

test('torn, oversized and meaningless lines are skipped and counted', async () => {
  const folder = await temporaryFolder();
  const path = await writePart(folder, 'run', deadHead(), [started('a')]);
  await appendFile(
    path,
    'garbage\n\n{"type":"call"}\n[1]\n{"type":"session.active","at":"never"}\n',
  );
  await appendFile(path, `{"type":"session.carried","at":"${at(0)}","session":"a","facts":{}}\n`);
  await appendFile(path, `${JSON.stringify(call('a', 0, { result: 'x'.repeat(2_000_000) }))}\n`);
  await appendFile(path, Buffer.from([0xff, 0xfe, 0x0a]));
  await appendFile(path, `${JSON.stringify(call('a'))}\n{"type":"call","at":"2026-`);
  const { files, problems } = await readJournal(folder);
  expect(files[0]?.records.slice(1)).toEqual([started('a'), call('a')]);
  expect(files[0]?.damaged).toBe(8);
  expect(problems).toEqual([]);
});

test('a complete last line without a line feed counts', async () => {
  const folder = await temporaryFolder();
  const path = await writePart(folder, 'run', deadHead(), []);
  await appendFile(path, JSON.stringify(started('a')));
  const { files } = await readJournal(folder);
  expect(files[0]?.records.slice(1)).toEqual([started('a')]);
  expect(files[0]?.damaged).toBe(0);
});

test('record types of later versions are skipped and not counted as damage', async () => {
  const folder = await temporaryFolder();
  const path = await writePart(folder, 'run', deadHead(), [started('a')]);
  await appendFile(path, `{"type":"policy","at":"${at(0)}"}\n`);
  const { files } = await readJournal(folder);
  expect(files[0]?.records).toHaveLength(2);
  expect(files[0]?.damaged).toBe(0);
});

test('characters that span two reads are decoded correctly', async () => {
  const folder = await temporaryFolder();
  const record = call('a', 0, { result: 'ü€😀'.repeat(30_000) });
  await writePart(folder, 'run', deadHead(), [record]);
  expect((await readJournal(folder)).files[0]?.records[1]).toEqual(record);
});

test('a file that is not a journal is reported, and the others are read', async () => {
  const folder = await temporaryFolder();
  await writePart(folder, 'good', deadHead(), [started('a')]);
  await writeFile(join(folder, 'garbage.0.jsonl'), 'garbage\n');
  await writeFile(join(folder, 'empty.0.jsonl'), '');
  await writeFile(join(folder, 'notes.txt'), 'not ours');
  await mkdir(join(folder, 'folder.0.jsonl'));
  await writePart(folder, 'later', { ...deadHead(), format: 2 as never }, [started('b')]);
  const { files, problems } = await readJournal(folder);
  expect(files.map(({ run }) => run)).toEqual(['good']);
  expect(problems.toSorted()).toEqual([
    expect.stringMatching(/folder\.0\.jsonl: It is not a regular file/),
    expect.stringMatching(/garbage\.0\.jsonl: It does not begin as a journal does/),
    expect.stringMatching(/later\.0\.jsonl: It is of format 2/),
  ]);
});

test('a file that is removed between listing and reading is ignored', async () => {
  const folder = await temporaryFolder();
  await symlink(join(folder, 'gone'), join(folder, 'vanished.0.jsonl'));
  expect(await readJournal(folder)).toEqual({ files: [], problems: [] });
});

test('records can be selected by type', async () => {
  const folder = await temporaryFolder();
  await writePart(folder, 'run', deadHead(), [started('a'), call('a'), call('a')]);
  const { files } = await readJournal(folder, { types: ['session.started'] });
  expect(files[0]?.records).toEqual([started('a')]);
});

test('the heartbeat of a program is the latest one of its parts', async () => {
  const folder = await temporaryFolder();
  const later = new Date(at(600));
  await writePart(folder, 'run', foreignHead(), []);
  await writePart(folder, 'run', foreignHead({ part: 1 }), [], later);
  const { files } = await readJournal(folder);
  expect(files.map(({ heartbeatAt }) => heartbeatAt)).toEqual([later, later]);
});

test('a session that another program stopped is stopped, in any reading order', async () => {
  for (const run of ['1-cli', '3-cli']) {
    const folder = await temporaryFolder();
    const stopped: JournalRecord = {
      type: 'session.stopped',
      at: at(5),
      session: 'a',
      wasGone: false,
    };
    await writePart(folder, '2-proxy', foreignHead(), [started('a'), call('a', 1), call('a', 2)]);
    await writePart(folder, run, foreignHead({ program: 'cli' }), [stopped]);
    const { facts: known, owners } = await readSessionFacts(folder, { now: START });
    expect(known.get('a')).toEqual(
      facts('a', { calls: 2, lastActiveAt: at(2.5), end: { how: 'stopped', at: at(5) } }),
    );
    expect(owners.get('a')?.run).toBe('2-proxy');
  }
});

test('a session that is carried over belongs to the newest part, and its calls count once', async () => {
  const folder = await temporaryFolder();
  const carried: JournalRecord = {
    type: 'session.carried',
    at: at(3),
    session: 'a',
    facts: facts('a', { calls: 2, lastActiveAt: at(2.5) }),
  };
  await writePart(folder, 'run', foreignHead(), [started('a'), call('a', 1), call('a', 2)]);
  await writePart(folder, 'run', foreignHead({ part: 1 }), [carried, call('a', 4)]);
  const { facts: known, owners } = await readSessionFacts(folder);
  expect(known.get('a')).toMatchObject({ calls: 3, lastActiveAt: at(4.5) });
  expect(owners.get('a')).toMatchObject({ part: 1, liveness: 'elsewhere' });
});
