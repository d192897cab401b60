import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Scope } from '../../../src/policy/documents/model.ts';
import {
  createCalendarWindow,
  createSlidingWindow,
  type Window,
} from '../../../src/policy/documents/windows.ts';
import { Counters } from '../../../src/policy/engine/counters.ts';
import type { Reservation } from '../../../src/policy/engine/decision.ts';
import { evaluateWithCounts } from '../../../src/policy/engine/evaluate.ts';
import {
  type Addition,
  type CounterGroup,
  type CounterStore,
  MemoryCounterStore,
} from '../../../src/state/counters.ts';
import { CounterFiles } from '../../../src/state/files/counter-file.ts';
import { endWithTest } from '../../fixtures/running.ts';

const run = promisify(execFile);
const NOON = Date.UTC(2026, 6, 28, 12);
const MINUTE = 60_000;
const PARTY = { session: 's', caller: 'arn:me', runtime: 'arn:runtime' };

interface Limit {
  readonly most?: number;
  readonly amount?: number;
  readonly window?: Window;
  readonly scope?: Scope;
  readonly key?: string;
}

function limit({
  most = 2,
  amount = 1,
  window = createCalendarWindow('minute'),
  scope = 'session',
  key = 'a',
}: Limit = {}): Reservation {
  const counter = { key, window, scope };
  return { file: 'p', pointer: '/x', message: '', counter, amount, most, isExclusive: false };
}

/** The value of a counter, as conditions of rules see it. */
const readCounter = (counters: Counters, counter: Reservation['counter']) =>
  evaluateWithCounts(
    (file, own) => counters.value(file, own, PARTY),
    (count) => count('p', counter),
  );

async function startCounters() {
  const folder = await mkdtemp(join(tmpdir(), 'agentcore-mcp-test-'));
  endWithTest(folder, () => rm(folder, { recursive: true, force: true }));
  const clock = { now: NOON };
  const open = () => new Counters(new CounterFiles(folder, () => clock.now), () => clock.now);
  const counters = open();
  const reserve = async (limits: Limit[] = [{}], party = PARTY) =>
    'receipt' in (await counters.reserve(limits.map(limit), party));
  return { folder, clock, counters, open, reserve };
}

/** A store whose answers arrive later, as those of a network. */
class LateStore implements CounterStore {
  readonly #store = new MemoryCounterStore();
  read = async (group: CounterGroup) => this.#store.read(group);
  readCached = async (group: CounterGroup) => this.#store.read(group);
  add = async (group: CounterGroup, additions: readonly Addition[]) =>
    this.#store.add(group, additions);
}

describe('counters', () => {
  it('hold limits also in a store that answers later', async () => {
    const counters = new Counters(new LateStore(), () => NOON);
    const reserve = () => counters.reserve([limit(), limit({ scope: 'global', most: 9 })], PARTY);
    const outcomes = [await reserve(), await reserve(), await reserve()];
    expect(outcomes.map((outcome) => 'receipt' in outcome)).toEqual([true, true, false]);
    expect(await readCounter(counters, limit().counter)).toBe(2);
    expect(await counters.exceeded([limit()], PARTY)).toMatchObject({ pointer: '/x' });
    const [first] = outcomes;
    if (first && 'receipt' in first) await counters.release(first.receipt);
    expect(await readCounter(counters, limit({ scope: 'global' }).counter)).toBe(1);
  });

  it('restart with the calendar if their window is fixed', async () => {
    const { clock, reserve } = await startCounters();
    clock.now = NOON + 59_000;
    expect([await reserve(), await reserve(), await reserve()]).toEqual([true, true, false]);
    clock.now = NOON + MINUTE;
    expect(await reserve()).toBe(true);
  });

  it('never exceed the limit in any part of a sliding window', async () => {
    const { clock, reserve } = await startCounters();
    const window = createSlidingWindow(MINUTE, '60s');
    const taken: number[] = [];
    for (let at = 0; at < 5 * MINUTE; at += 700) {
      clock.now = NOON + at;
      if (await reserve([{ window, most: 3 }])) taken.push(at);
    }
    for (const start of taken) {
      expect(taken.filter((at) => at >= start && at < start + MINUTE).length).toBeLessThanOrEqual(
        3,
      );
    }
    expect(taken.length).toBeGreaterThanOrEqual(12);
  });

  it('are not reset by setting the clock back', async () => {
    const { clock, reserve } = await startCounters();
    await reserve();
    await reserve();
    clock.now = NOON - 30_000;
    expect(await reserve()).toBe(false);
  });

  const SLIDING = { window: createSlidingWindow(3_000, '3 s') };
  const DAY = 86_400_000;

  it.each([
    ['a year', 365 * DAY, SLIDING.window],
    ['an hour', 3_600_000, SLIDING.window],
    ['a year', 365 * DAY, createCalendarWindow('second')],
  ])('are not blocked by a call with a clock that is %s fast', async (_, fast, window) => {
    const { clock, open, reserve } = await startCounters();
    const one = { window, most: 1 };
    clock.now = NOON + fast;
    expect(await reserve([one])).toBe(true);
    clock.now = NOON;
    // The other call may have been a moment ago.
    expect(await reserve([one])).toBe(false);
    for (let calls = 1; calls < 10; calls++) {
      clock.now = NOON + calls * 4_500;
      expect(open().reserve([limit(one)], PARTY)).toHaveProperty('receipt');
      expect(await reserve([one])).toBe(false);
    }
    clock.now = NOON + fast + 1;
    expect(await reserve([one])).toBe(false);
  });

  it('allow every call that fits a sliding limit next to a call with a fast clock', async () => {
    const { clock, reserve } = await startCounters();
    clock.now = NOON + 365 * DAY;
    await reserve([SLIDING]);
    for (let calls = 0; calls < 10; calls++) {
      clock.now = NOON + calls * 4_500;
      expect(await reserve([SLIDING])).toBe(true);
    }
  });

  it('drop a call with a fast clock after one window, even if they are only read', async () => {
    const { clock, counters, reserve } = await startCounters();
    clock.now = NOON + 365 * DAY;
    await reserve([SLIDING]);
    clock.now = NOON;
    expect(readCounter(counters, limit(SLIDING).counter)).toBe(1);
    clock.now = NOON + 4_500;
    expect(readCounter(counters, limit(SLIDING).counter)).toBe(0);
  });

  it.each([createCalendarWindow('day'), SLIDING.window])(
    'stay used up while the clock is two days slow, and after it is corrected (%j)',
    async (window) => {
      const { clock, reserve } = await startCounters();
      const one = { window };
      expect([await reserve([one]), await reserve([one])]).toEqual([true, true]);
      clock.now = NOON - 2 * DAY;
      expect([await reserve([one]), await reserve([one])]).toEqual([false, false]);
      clock.now = NOON + 1;
      expect(await reserve([one])).toBe(false);
    },
  );

  it('write the time only once while calls are denied', async () => {
    const { folder, clock, reserve } = await startCounters();
    await reserve([{ most: 1 }]);
    clock.now = NOON - DAY;
    await reserve([{ most: 1 }]);
    const [name = ''] = await readdir(folder);
    const { size } = await stat(join(folder, name));
    for (let calls = 0; calls < 5; calls++) await reserve([{ most: 1 }]);
    expect((await stat(join(folder, name))).size).toBe(size);
  });

  it('hold although a fast clock has filled every slice', async () => {
    const { clock, reserve } = await startCounters();
    for (let calls = 0; calls < 500; calls++) {
      clock.now = NOON + 365 * DAY + calls * 100;
      await reserve([{ ...SLIDING, most: 1000 }]);
    }
    clock.now = NOON;
    expect(await reserve([{ ...SLIDING, most: 10 }])).toBe(false);
    clock.now = NOON + 4_500;
    expect([await reserve([SLIDING]), await reserve([SLIDING])]).toEqual([true, true]);
    expect(await reserve([SLIDING])).toBe(false);
  });

  it('survive that a process with a fast clock cleans up and replaces their files', async () => {
    const { clock, open, reserve } = await startCounters();
    await reserve([{ most: 1, window: createCalendarWindow('day') }]);
    clock.now = NOON + 365 * DAY;
    const fast = open();
    const key = 'k'.repeat(200);
    for (let calls = 0; calls < 1500; calls++) {
      fast.reserve([limit({ most: 1500, key })], PARTY);
    }
    clock.now = NOON;
    expect(await reserve([{ most: 1, window: createCalendarWindow('day') }])).toBe(false);
  });

  it('reserve all or nothing', async () => {
    const { counters, reserve } = await startCounters();
    expect(await reserve([{ key: 'b' }, { most: 0 }])).toBe(false);
    expect(readCounter(counters, limit({ key: 'b' }).counter)).toBe(0);
  });

  it('release a reservation that had no effect', async () => {
    const { counters } = await startCounters();
    const outcome = await counters.reserve([limit({ amount: 2 })], PARTY);
    if (!('receipt' in outcome)) throw new Error('refused');
    await counters.release(outcome.receipt);
    expect(readCounter(counters, limit().counter)).toBe(0);
  });

  it('count a call once for several limits of one counter', async () => {
    const { counters, reserve } = await startCounters();
    expect(await reserve([{ most: 5 }, { most: 3 }])).toBe(true);
    expect(readCounter(counters, limit().counter)).toBe(1);
  });

  it('are separate for each session, each identity, or all, and for each runtime', async () => {
    const { reserve } = await startCounters();
    const other = { session: 't', caller: 'arn:you', runtime: 'arn:runtime' };
    for (const scope of ['session', 'grant', 'global'] as const) {
      expect(await reserve([{ scope, most: 1 }])).toBe(true);
      expect(await reserve([{ scope, most: 1 }], other)).toBe(scope !== 'global');
      expect(await reserve([{ scope, most: 1 }], { ...PARTY, runtime: 'arn:other' })).toBe(true);
    }
  });

  it('survive a restart', async () => {
    const { open, reserve } = await startCounters();
    await reserve([{ amount: 2 }]);
    expect(await open().reserve([limit()], PARTY)).toHaveProperty('refused');
  });

  it('are readable by their user alone', async () => {
    const { folder, reserve } = await startCounters();
    await reserve();
    for (const name of await readdir(folder)) {
      expect((await stat(join(folder, name))).mode & 0o077).toBe(0);
    }
  });

  it.each([
    '',
    '{',
    '[]',
    '{"format":1,"head":{"k":{"slices":[[1,-5]],"until":1}}}\n',
    '{"format":2,"head":{}}\n',
  ])('reject all calls if their file is damaged: %j', async (text) => {
    const { folder, reserve } = await startCounters();
    await reserve();
    const [name = ''] = (await readdir(folder)).filter((one) => one.endsWith('.log'));
    await writeFile(join(folder, name), text);
    await expect(reserve()).rejects.toThrow(/cannot be used.*Remove the file/);
  });

  it('continue in a new file when one has become long, without losing counts', async () => {
    const { folder, open, counters } = await startCounters();
    const others = [open(), open()];
    const key = 'k'.repeat(200);
    for (let calls = 0; calls < 3000; calls++) {
      const one = others[calls % 2] as Counters;
      expect(one.reserve([limit({ most: 3000, key })], PARTY)).toHaveProperty('receipt');
    }
    const names = await readdir(folder);
    expect(names).toHaveLength(1);
    expect(names).not.toEqual([expect.stringContaining('.0.log')]);
    expect(readCounter(counters, limit({ key }).counter)).toBe(3000);
    expect(others[0]?.reserve([limit({ most: 3000, key })], PARTY)).toHaveProperty('refused');
  });

  it('are exact between processes while files are replaced', async () => {
    const { folder } = await startCounters();
    const taker = fileURLToPath(new URL('./taker.ts', import.meta.url));
    const args = ['--disable-warning=ExperimentalWarning', taker, folder, '1500', '4000'];
    const runs = Array.from({ length: 3 }, () => run(process.execPath, args));
    const taken = (await Promise.all(runs)).map(({ stdout }) => Number(stdout));
    expect(taken.reduce((sum, one) => sum + one)).toBe(4000);
  });

  it('restart in all programs when a user removes their file', async () => {
    const { folder, open } = await startCounters();
    const [one, other] = [open(), open()];
    one.reserve([limit({ most: 1 })], PARTY);
    expect(other.reserve([limit({ most: 1 })], PARTY)).toHaveProperty('refused');
    for (const name of await readdir(folder)) await rm(join(folder, name));
    expect(other.reserve([limit({ most: 1 })], PARTY)).toHaveProperty('receipt');
    expect(one.reserve([limit({ most: 1 })], PARTY)).toHaveProperty('refused');
  });

  it('are exact for concurrent reservations', async () => {
    const { open } = await startCounters();
    const all = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        open().reserve([limit({ most: 50, key: `k${index % 2}` })], PARTY),
      ),
    );
    expect(all.filter((outcome) => 'receipt' in outcome)).toHaveLength(100);
  });
});
