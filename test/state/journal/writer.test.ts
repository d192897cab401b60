import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readJournal, readSessionFacts } from '../../../src/state/journal/reader.ts';
import { eventually } from '../../fixtures/eventually.ts';
import { kill, openJournal, startWriter, temporaryFolder } from './fixture.ts';
import { call, started } from './records.ts';

const typesIn = async (folder: string) =>
  (await readJournal(folder)).files.map(({ records }) => records.map(({ type }) => type));

test('no file is created before the first record', async () => {
  const folder = join(await temporaryFolder(), 'state', 'journal');
  const { journal } = openJournal(folder);
  await journal.close();
  await expect(stat(folder)).rejects.toThrow('ENOENT');
});

test.skipIf(process.platform === 'win32')(
  'folder and files are readable by the user alone',
  async () => {
    const folder = join(await temporaryFolder(), 'state', 'journal');
    const { journal } = openJournal(folder);
    await journal.recordNow(started('a'));
    const [name] = await readdir(folder);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder, name as string))).mode & 0o777).toBe(0o600);
  },
);

test.skipIf(process.platform === 'win32')(
  'a folder that others can read is made private',
  async () => {
    const folder = join(await temporaryFolder(), 'journal');
    await mkdir(folder);
    await chmod(folder, 0o755);
    const { journal } = openJournal(folder);
    await journal.recordNow(started('a'));
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
  },
);

test('the name of a file contains the start time of its program, its process id and its part', async () => {
  const folder = await temporaryFolder();
  const { journal } = openJournal(folder);
  await journal.recordNow(started('a'));
  expect(await readdir(folder)).toEqual([
    expect.stringMatching(new RegExp(`^\\d{8}T\\d{6}Z-${process.pid}-[0-9a-f]{6}\\.0\\.jsonl$`)),
  ]);
});

test('once recordNow resolves, the record and all before it are in the file, after its header', async () => {
  const folder = await temporaryFolder();
  const { journal } = openJournal(folder);
  journal.record(call('a', 1));
  journal.record(call('a', 2));
  await journal.recordNow(started('a', 3));
  const [name] = await readdir(folder);
  const lines = (await readFile(join(folder, name as string), 'utf8')).trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    expect.objectContaining({ type: 'program', pid: process.pid, program: 'proxy', part: 0 }),
    call('a', 1),
    call('a', 2),
    started('a', 3),
  ]);
});

test('a record without a waiting caller is written soon', async () => {
  const folder = await temporaryFolder();
  const { journal } = openJournal(folder);
  journal.record(started('a'));
  await eventually(async () =>
    expect(await typesIn(folder)).toEqual([['program', 'session.started']]),
  );
});

test('a record added right after another write is written too', async () => {
  const folder = await temporaryFolder();
  const { journal } = openJournal(folder);
  await journal.recordNow(started('a')).then(() => journal.record(call('a')));
  await eventually(async () =>
    expect(await typesIn(folder)).toEqual([['program', 'session.started', 'call']]),
  );
});

test('closing writes pending records, and later records are ignored', async () => {
  const folder = await temporaryFolder();
  const { journal } = openJournal(folder);
  journal.record(started('a'));
  await journal.close();
  journal.record(call('a'));
  await journal.recordNow(call('a'));
  await journal.close();
  expect(await typesIn(folder)).toEqual([['program', 'session.started']]);
});

test('a record that JSON cannot represent is left out and does not affect others', async () => {
  const folder = await temporaryFolder();
  const { journal } = openJournal(folder);
  await journal.recordNow(call('a', 0, { arguments: { big: 1n } }));
  await journal.recordNow(started('a'));
  await eventually(async () =>
    expect(await typesIn(folder)).toEqual([['program', 'session.started', 'error']]),
  );
});

test('written records survive the kill of their process', async () => {
  const folder = await temporaryFolder();
  const child = await startWriter(folder, 'a', 3);
  expect((await readSessionFacts(folder)).owners.get('a')?.liveness).toBe('alive');
  await kill(child);
  const { facts, owners, problems } = await readSessionFacts(folder);
  expect(facts.get('a')).toMatchObject({ session: 'a', calls: 3 });
  expect(owners.get('a')).toMatchObject({ liveness: 'dead', damaged: 0 });
  expect(problems).toEqual([]);
});

test('eight processes write at once, each to its own file', async () => {
  const folder = await temporaryFolder();
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  const children = await Promise.all(names.map((name) => startWriter(folder, name, 2_000)));
  const { facts, sources } = await readSessionFacts(folder);
  await Promise.all(children.map(kill));
  expect(sources.map(({ damaged }) => damaged)).toEqual(names.map(() => 0));
  expect([...facts.values()].map(({ session, calls }) => [session, calls]).sort()).toEqual(
    names.map((name) => [name, 2_000]),
  );
});

test('the timers of a journal do not keep a program running', async () => {
  const folder = await temporaryFolder();
  const child = await startWriter(folder, 'a');
  const exit = once(child, 'exit');
  child.disconnect();
  expect(await exit).toEqual([0, null]);
});

test('a heartbeat touches the file', async () => {
  const folder = await temporaryFolder();
  const later = new Date(Date.now() + 3_600_000);
  const { journal } = openJournal(folder, { heartbeat: 10, now: () => later });
  await journal.recordNow(started('a', 0));
  await eventually(async () => {
    const [file] = (await readJournal(folder)).files;
    expect(Math.abs(Number(file?.heartbeatAt) - later.getTime())).toBeLessThan(1_000);
  });
});
