import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { estimateCost } from '../../../src/aws/pricing.ts';
import {
  createCalendarWindow,
  createSlidingWindow,
} from '../../../src/policy/documents/windows.ts';
import { SpendingReader } from '../../../src/policy/engine/counters.ts';
import { type FoldOptions, readSessionFacts } from '../../../src/state/journal/reader.ts';
import type { JournalRecord } from '../../../src/state/journal/records.ts';
import { eventually } from '../../fixtures/eventually.ts';
import { deadHead, temporaryFolder, writePart } from '../../state/journal/fixture.ts';
import { at, call, START, started } from '../../state/journal/records.ts';

const HOUR = 3600;
const DAY = createCalendarWindow('day');
const LAST_DAY = createSlidingWindow(24 * HOUR * 1000, '24h');

/** A session that was active between two seconds after noon, and stopped then. */
function session(id: string, from: number, to: number): JournalRecord[] {
  const milliseconds = (to - from) * 1000;
  return [
    { ...started(id, from), runtimeSessionId: `agentcore-mcp-${id}` },
    call(id, to, { milliseconds }),
    { type: 'session.stopped', at: at(to), session: id, wasGone: false },
  ];
}

function readSpending(folder: string, now: () => number): SpendingReader {
  const journal = {
    readSessionFacts: (options?: FoldOptions) => readSessionFacts(folder, options),
  };
  return new SpendingReader(journal, now);
}

async function startSpending(...sessions: readonly JournalRecord[][]) {
  const folder = await temporaryFolder();
  const write = (run: string, records: readonly JournalRecord[]) =>
    writePart(folder, run, deadHead(), records);
  await write('20261121T000000Z-1-aaaaaa', sessions.flat());
  const clock = { now: START.getTime() };
  return { folder, write, clock, spending: readSpending(folder, () => clock.now) };
}

describe('the spending of sessions', () => {
  it('counts the sessions that began in the calendar or sliding window', async () => {
    const { spending } = await startSpending(
      session('a', -30 * HOUR, -30 * HOUR + 60),
      session('b', -13 * HOUR, -13 * HOUR + 60),
      session('c', -2 * HOUR, -2 * HOUR + 60),
      session('d', -60, -30),
    );
    expect((await spending.in(DAY)).sessions).toBe(2);
    expect((await spending.in(LAST_DAY)).sessions).toBe(3);
    expect((await spending.in(createCalendarWindow('month'))).sessions).toBe(4);
    expect((await spending.in(createSlidingWindow(600_000, '10m'))).sessions).toBe(1);
  });

  it('counts the upper bound of their cost, and the share of a session that began earlier', async () => {
    const { spending } = await startSpending(session('a', -12 * HOUR - 600, -12 * HOUR + 300));
    const whole = (await spending.in(LAST_DAY)).usd;
    expect(whole).toBeCloseTo(estimateCost(900_000).most, 6);
    const { usd, sessions } = await spending.in(DAY);
    expect(usd).toBeCloseTo(whole / 3, 6);
    expect(sessions).toBe(0);
    expect((await spending.in(createSlidingWindow(60_000, '60s'))).usd).toBe(0);
  });

  it('counts dismissed sessions', async () => {
    const dismissed = { type: 'session.dismissed', at: at(-10), session: 'a' } as const;
    const { spending } = await startSpending([
      { ...started('a', -60), runtimeSessionId: 'agentcore-mcp-a' },
      call('a', -30, { milliseconds: 30_000 }),
      dismissed,
    ]);
    expect(await spending.in(DAY)).toEqual({
      usd: expect.closeTo(estimateCost(50_000).most, 2),
      sessions: 1,
    });
  });

  it('is at most five seconds old without a new read, and at most thirty with one in the background', async () => {
    const { spending, write, clock } = await startSpending(session('a', -60, -30));
    const sessions = async () => (await spending.in(DAY)).sessions;
    expect(await sessions()).toBe(1);
    await write('20261121T120000Z-2-bbbbbb', session('b', -20, -10));
    clock.now += 4_000;
    expect(await sessions()).toBe(1);
    // No caller waits for this read.
    clock.now += 2_000;
    expect(await sessions()).toBe(1);
    await eventually(async () => expect(await sessions()).toBe(2));
    await write('20261121T120001Z-3-cccccc', session('c', -8, -5));
    clock.now += 31_000;
    expect(await sessions()).toBe(3);
  });

  it('is unknown while the journal cannot be read', async () => {
    const folder = join(await temporaryFolder(), 'journal');
    await writeFile(folder, 'a file where a folder has to be');
    const spending = readSpending(folder, () => START.getTime());
    await expect(spending.in(DAY)).rejects.toThrow();
    await expect(spending.in(DAY)).rejects.toThrow();
  });

  it('is zero if there is no journal yet', async () => {
    const folder = join(await temporaryFolder(), 'none');
    const spending = readSpending(folder, () => START.getTime());
    expect(await spending.in(DAY)).toEqual({ usd: 0, sessions: 0 });
  });
});
