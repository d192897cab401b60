import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { type FollowOptions, followJournal } from '../../../src/state/journal/follow.ts';
import { serializeRecord } from '../../../src/state/journal/records.ts';
import { deadHead, openJournal, startWriter, temporaryFolder, writePart } from './fixture.ts';
import { call, started } from './records.ts';

/** Follows a folder until the test is over. `next` returns the type or name of the next record. */
function follow(folder: string, options?: FollowOptions) {
  const abort = new AbortController();
  const records = followJournal(folder, abort.signal, options);
  onTestFinished(() => abort.abort());
  const next = async (): Promise<string> => {
    const { value } = await records.next();
    if (!value) return 'end';
    const { record, run } = value;
    if (run.startsWith('probe')) return next();
    return record.type === 'call' ? `call ${record.name}` : record.type;
  };
  /** Resolves once new files are recognized as new. Existing records are skipped by then. */
  const ready = async () => {
    let isReady = false;
    const first = records.next().then(() => {
      isReady = true;
    });
    for (let i = 0; !isReady; i++) {
      await writePart(folder, `probe${i}`, deadHead(), []);
      await Promise.race([first, setTimeout(20)]);
    }
  };
  return { abort, next, ready };
}

test('existing records are skipped, new ones are delivered', async () => {
  const folder = await temporaryFolder();
  const path = await writePart(folder, 'run', deadHead(), [started('a'), call('a')]);
  const { next, ready } = follow(folder);
  await ready();
  await appendFile(path, serializeRecord(call('a', 1, { name: 'new' })));
  expect(await next()).toBe('call new');
});

test('from the start, all records are delivered', async () => {
  const folder = await temporaryFolder();
  await writePart(folder, 'run', deadHead(), [started('a'), call('a')]);
  const { next } = follow(folder, { from: 'start' });
  expect([await next(), await next(), await next()]).toEqual([
    'program',
    'session.started',
    'call echo',
  ]);
});

test('an incomplete line waits for its rest, also one that existed before', async () => {
  const folder = await temporaryFolder();
  const line = serializeRecord(call('a', 1, { name: 'in two' }));
  const path = await writePart(folder, 'run', deadHead(), []);
  await appendFile(path, line.slice(0, 20));
  const { next, ready } = follow(folder);
  await ready();
  await appendFile(path, line.slice(20, 40));
  const whole = next();
  await appendFile(path, line.slice(40));
  expect(await whole).toBe('call in two');
});

test('the parts of a journal are followed as they begin, in a folder that is created later', async () => {
  const folder = join(await temporaryFolder(), 'state', 'journal');
  const { next } = follow(folder, { from: 'start', interval: 10 });
  const first = next();
  const { journal } = openJournal(folder, { partBytes: 100 });
  await journal.recordNow(started('a'));
  for (const name of ['one', 'two', 'three', 'four']) {
    await journal.recordNow(call('a', 0, { name }));
  }
  const seen = [await first];
  while (seen.at(-1) !== 'call four') seen.push(await next());
  expect(seen).toEqual([
    ...['program', 'session.started', 'call one'],
    ...['program', 'session.carried', 'call two', 'call three'],
    ...['program', 'session.carried', 'call four'],
  ]);
});

test('the records of other processes come with the header of their file', async () => {
  const folder = await temporaryFolder();
  const abort = new AbortController();
  onTestFinished(() => abort.abort());
  const records = followJournal(folder, abort.signal, { from: 'start' });
  const first = records.next();
  const child = await startWriter(folder, 'a');
  await first;
  const { value } = await records.next();
  expect(value).toMatchObject({ record: { session: 'a' }, head: { pid: child.pid }, part: 0 });
});

test('following stops when its signal aborts', async () => {
  const { abort, next } = follow(await temporaryFolder(), { interval: 3_600_000 });
  const end = next();
  // Nothing is pending by then. If something was, the test would be weaker, not wrong.
  await setTimeout(50);
  abort.abort();
  expect(await end).toBe('end');
});
