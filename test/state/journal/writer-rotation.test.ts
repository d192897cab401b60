import { rm, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { readJournal, readSessionFacts } from '../../../src/state/journal/reader.ts';
import { MAX_LIFETIME, serializeRecord } from '../../../src/state/journal/records.ts';
import { getTemporaryPath } from '../../../src/state/journal/segment.ts';
import { deadHead, openJournal, temporaryFolder, writePart } from './fixture.ts';
import { at, call, facts, START, started } from './records.ts';

const PART_BYTES = 2_000;

/** Writes calls of `session` until another part has begun. */
async function fill(journal: ReturnType<typeof openJournal>['journal'], session: string) {
  let bytes = 0;
  let count = 0;
  while (bytes <= PART_BYTES) {
    bytes += JSON.stringify(call(session)).length + 1;
    count += 1;
    await journal.recordNow(call(session));
  }
  return count;
}

test('the next part carries over the open sessions, and the old part can be removed', async () => {
  const folder = await temporaryFolder();
  const { journal } = openJournal(folder, { partBytes: PART_BYTES });
  await journal.recordNow(started('running'));
  await journal.recordNow({
    type: 'session.identified',
    at: at(1),
    session: 'running',
    mcpSessionId: 'm',
  });
  await journal.recordNow(started('left'));
  await journal.recordNow({ type: 'session.left', at: at(1), session: 'left' });
  await journal.recordNow(started('over'));
  await journal.recordNow({ type: 'session.lost', at: at(1), session: 'over', reason: 'gone' });
  const count = await fill(journal, 'running');
  await journal.recordNow(call('running'));

  const whole = await readSessionFacts(folder);
  expect(whole.sources.map(({ part }) => part)).toEqual([0, 1]);
  expect(whole.facts.get('running')).toMatchObject({ calls: count + 1, mcpSessionId: 'm' });
  expect(whole.owners.get('running')).toMatchObject({ part: 1, liveness: 'alive' });

  await rm(whole.sources[0]?.path as string);
  const { facts: carried } = await readSessionFacts(folder);
  expect(carried.get('running')).toEqual(whole.facts.get('running'));
  expect(carried.get('left')).toEqual(whole.facts.get('left'));
  expect(carried.has('over')).toBe(false);
});

test('a part with many carried sessions is not full at once', async () => {
  const folder = await temporaryFolder();
  const { journal } = openJournal(folder, { partBytes: PART_BYTES });
  for (let i = 0; i < 20; i++) journal.record(started(`s${i}`));
  await journal.recordNow(started('last'));
  await journal.recordNow(call('last'));
  await journal.recordNow(call('last'));
  expect((await readJournal(folder)).files).toHaveLength(1);
});

test('a part that a crash left incomplete is skipped', async () => {
  const folder = await temporaryFolder();
  const path = await writePart(folder, 'run', deadHead(), [started('a')]);
  const next = `${serializeRecord(deadHead({ part: 1 }))}{"type":"session.car`;
  await writeFile(getTemporaryPath(path.replace('.0.', '.1.')), next);
  const { facts: known, sources, problems } = await readSessionFacts(folder);
  expect([...known]).toEqual([['a', facts('a')]]);
  expect(sources).toHaveLength(1);
  expect(problems).toEqual([]);
});

test('sessions detached longer ago than their lifetime are not carried over', async () => {
  const folder = await temporaryFolder();
  const now = () => new Date(START.getTime() + MAX_LIFETIME + 60_000);
  const { journal } = openJournal(folder, { partBytes: PART_BYTES, now });
  for (const session of ['left', 'idle']) await journal.recordNow(started(session));
  await journal.recordNow({ type: 'session.left', at: at(1), session: 'left' });
  await fill(journal, 'idle');
  await journal.recordNow(call('idle'));
  const { files } = await readJournal(folder, { types: ['session.carried'] });
  expect(files[1]?.records).toEqual([expect.objectContaining({ session: 'idle' })]);
});
