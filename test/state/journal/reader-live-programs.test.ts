import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createProgramRecord } from '../../../src/state/journal/processes.ts';
import { RunningPrograms } from '../../../src/state/journal/reader.ts';
import { deadHead, foreignHead, temporaryFolder, writePart } from './fixture.ts';

const own = (name: string, part = 0) =>
  createProgramRecord({ program: 'proxy', version: '1.0.0', part, at: new Date(), name });

it('lists running programs with their names and parent processes', async () => {
  const folder = await temporaryFolder();
  await writePart(folder, 'a', own('weather'), [], new Date());
  await writePart(folder, 'b', deadHead({ name: 'gone' }), []);
  await writePart(folder, 'c', foreignHead({ name: 'elsewhere' }), []);
  expect(await new RunningPrograms(folder).list()).toMatchObject([
    { name: 'weather', pid: process.pid, parentPid: process.ppid },
  ]);
});

it('counts a program once, however many files it has', async () => {
  const folder = await temporaryFolder();
  for (const part of [0, 1, 2]) await writePart(folder, 'a', own('weather', part), [], new Date());
  expect(await new RunningPrograms(folder).list()).toHaveLength(1);
});

it('finds programs that started since the last call', async () => {
  const folder = await temporaryFolder();
  const programs = new RunningPrograms(folder);
  expect(await programs.list()).toEqual([]);
  await writePart(folder, 'a', own('weather'), [], new Date());
  expect(await programs.list()).toHaveLength(1);
});

it('skips files that are not journals, and a journal whose header is still being written', async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'folder.0.jsonl'), { recursive: true });
  await writeFile(join(folder, 'garbage.0.jsonl'), 'garbage\n');
  await writeFile(join(folder, 'begun.0.jsonl'), '{"type":"program"');
  await writePart(folder, 'a', own('weather'), [], new Date());
  expect(await new RunningPrograms(folder).list()).toHaveLength(1);
});
