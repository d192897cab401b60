import { describe, expect, it } from 'vitest';
import { formatSessionNotes } from '../../src/sessions/format.ts';
import { DEFAULT_LIFECYCLE, type Lifecycle } from '../../src/sessions/lifecycle.ts';
import type { SessionInfo } from '../../src/sessions/session-info.ts';
import { readSessions } from '../../src/sessions/session-store.ts';
import { readSessionFacts } from '../../src/state/journal/reader.ts';
import type { JournalRecord } from '../../src/state/journal/records.ts';
import { StateFolder, started, type WrittenFile } from '../fixtures/written-journal.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const NOW = Date.now();
const LIFECYCLE: Lifecycle = { idleTimeout: 15 * MINUTE, maxLifetime: 8 * HOUR, source: 'runtime' };
const ID = 'session-1';

function ago(milliseconds: number): string {
  return new Date(NOW - milliseconds).toISOString();
}

function call(milliseconds: number, at: string, session = ID): JournalRecord {
  return {
    type: 'call',
    at,
    session,
    method: 'tools/call',
    milliseconds,
    bytesIn: 1,
    bytesOut: 1,
    outcome: 'result',
    attempts: 1,
  };
}

function active(open: number, at: string): JournalRecord {
  return { type: 'session.active', at, session: ID, open };
}

function stopped(at: string, session = ID): JournalRecord {
  return { type: 'session.stopped', at, session, wasGone: false };
}

async function entriesOf(
  files: readonly WrittenFile[],
  lifecycle: Lifecycle = LIFECYCLE,
): Promise<readonly SessionInfo[]> {
  const state = new StateFolder();
  for (const file of files) state.write(file);
  const { entries, problems } = await readSessions({
    journal: { readSessionFacts: (options) => readSessionFacts(state.journal, options) },
    lifecycles: { resolve: async () => () => lifecycle },
    now: () => NOW,
  });
  expect(problems).toEqual([]);
  return entries;
}

async function entryOf(file: WrittenFile, lifecycle?: Lifecycle): Promise<SessionInfo> {
  const entries = await entriesOf([file], lifecycle);
  expect(entries).toHaveLength(1);
  return entries[0] as SessionInfo;
}

describe('the state of a session', () => {
  const begun = started(ID, ago(5 * MINUTE));

  it.each<[string, WrittenFile, Partial<SessionInfo>]>([
    [
      'active while its program is alive and calls are open',
      { program: 'alive', records: [begun, active(2, ago(MINUTE))] },
      { state: 'active', mayBill: true, open: 2 },
    ],
    [
      'active during a call of any duration',
      { program: 'alive', records: [started(ID, ago(2 * HOUR)), active(1, ago(2 * HOUR))] },
      { state: 'active', mayBill: true, idleLeft: 15 * MINUTE, lifetimeLeft: 6 * HOUR },
    ],
    [
      'idle after the last call has ended',
      { program: 'alive', records: [begun, active(1, ago(3 * MINUTE)), active(0, ago(MINUTE))] },
      { state: 'idle', mayBill: true, idleLeft: 14 * MINUTE, open: 0 },
    ],
    [
      'orphaned if its program is dead',
      { program: 'dead', records: [begun] },
      { state: 'orphaned', mayBill: true, idleLeft: 10 * MINUTE },
    ],
    [
      'idle if its dead program had detached from it',
      { program: 'dead', records: [begun, { type: 'session.left', at: ago(MINUTE), session: ID }] },
      { state: 'idle', mayBill: true },
    ],
    [
      'never orphaned if its program was on another host',
      { program: 'elsewhere', heartbeatAt: new Date(NOW - HOUR), records: [begun] },
      { state: 'idle', mayBill: true },
    ],
    [
      'expired after its idle timeout, even if its program is alive',
      { program: 'alive', records: [started(ID, ago(20 * MINUTE))] },
      { state: 'expired', mayBill: false, idleLeft: 0, endedAt: ago(5 * MINUTE) },
    ],
    [
      'expired if its program is dead and its time is over',
      { program: 'dead', records: [started(ID, ago(20 * MINUTE))] },
      { state: 'expired', mayBill: false },
    ],
    [
      'expired if it is idle and has reached its maximum lifetime',
      {
        program: 'dead',
        records: [
          started(ID, ago(8 * HOUR)),
          call(8 * HOUR - MINUTE, ago(8 * HOUR)),
          { type: 'session.left', at: ago(MINUTE), session: ID },
        ],
      },
      { state: 'expired', mayBill: false, endedAt: ago(0) },
    ],
    [
      'stopped after a stop',
      { program: 'alive', records: [begun, stopped(ago(MINUTE))] },
      { state: 'stopped', mayBill: false, endedAt: ago(MINUTE), age: 4 * MINUTE },
    ],
    [
      'stopped, although an open call ended later',
      {
        program: 'alive',
        records: [
          begun,
          active(1, ago(3 * MINUTE)),
          stopped(ago(2 * MINUTE)),
          active(0, ago(MINUTE)),
          call(2 * MINUTE, ago(3 * MINUTE)),
        ],
      },
      { state: 'stopped', mayBill: false, endedAt: ago(2 * MINUTE) },
    ],
    [
      'stopped, although an open call and its answer were recorded later',
      {
        program: 'alive',
        records: [
          begun,
          stopped(ago(2 * MINUTE)),
          active(1, ago(2 * MINUTE - SECOND / 2)),
          { type: 'session.identified', at: ago(MINUTE), session: ID, returnedId: 'late' },
          active(0, ago(MINUTE)),
        ],
      },
      { state: 'stopped', mayBill: false },
    ],
    [
      'idle if calls were open on another host that is silent now',
      {
        program: 'elsewhere',
        heartbeatAt: new Date(NOW - 3 * MINUTE),
        records: [begun, active(1, ago(4 * MINUTE))],
      },
      { state: 'idle', mayBill: true, mayRunOn: true, open: 0 },
    ],
    [
      'active while calls are open on another host',
      {
        program: 'elsewhere',
        heartbeatAt: new Date(NOW - 5 * SECOND),
        records: [begun, active(1, ago(4 * MINUTE))],
      },
      { state: 'active', mayBill: true, mayRunOn: false, open: 1 },
    ],
    [
      'idle beyond its maximum lifetime if later calls started a new microVM',
      {
        program: 'alive',
        records: [started(ID, ago(9 * HOUR)), call(9 * HOUR - MINUTE, ago(9 * HOUR))],
      },
      { state: 'idle', mayBill: true, lifetimeLeft: 8 * HOUR - MINUTE },
    ],
    [
      'expired once even a call that outlived its program must have ended',
      {
        program: 'dead',
        heartbeatAt: new Date(NOW - 2 * HOUR),
        records: [started(ID, ago(3 * HOUR)), active(1, ago(3 * HOUR))],
      },
      { state: 'expired', mayBill: false, mayRunOn: false },
    ],
    [
      'idle again after a call that restarted it',
      {
        program: 'alive',
        records: [begun, stopped(ago(3 * MINUTE)), call(SECOND, ago(2 * MINUTE))],
      },
      { state: 'idle', mayBill: true },
    ],
    [
      'stopped after it was restarted and stopped again',
      {
        program: 'alive',
        records: [
          begun,
          stopped(ago(3 * MINUTE)),
          call(SECOND, ago(2 * MINUTE)),
          stopped(ago(MINUTE)),
        ],
      },
      { state: 'stopped', mayBill: false, endedAt: ago(MINUTE) },
    ],
    [
      'stopped at the first stop, although it was not found later',
      {
        program: 'alive',
        records: [
          begun,
          stopped(ago(4 * MINUTE)),
          { type: 'session.stopped', at: ago(MINUTE), session: ID, wasGone: true },
        ],
      },
      { state: 'stopped', mayBill: false, endedAt: ago(4 * MINUTE), age: MINUTE },
    ],
  ])('is %s', async (_, file, expected) => {
    expect(await entryOf(file)).toMatchObject(expected);
  });

  it.each<[string, JournalRecord[]]>([
    ['never began', [{ type: 'session.lost', at: ago(MINUTE), session: ID, reason: 'denied' }]],
    [
      'never began and was not found later',
      [
        { type: 'session.lost', at: ago(2 * MINUTE), session: ID, reason: 'denied' },
        { type: 'session.stopped', at: ago(MINUTE), session: ID, wasGone: true },
      ],
    ],
    ['was dismissed', [{ type: 'session.dismissed', at: ago(MINUTE), session: ID }]],
  ])('does not exist if the session %s', async (_, records) => {
    expect(await entriesOf([{ program: 'dead', records: [begun, ...records] }])).toEqual([]);
  });

  it('returns to the list if the session is used after its dismissal', async () => {
    const dismissed: JournalRecord = {
      type: 'session.dismissed',
      at: ago(3 * MINUTE),
      session: ID,
    };
    const records = [begun, dismissed, call(SECOND, ago(MINUTE))];
    expect(await entryOf({ program: 'alive', records })).toMatchObject({ state: 'idle' });
  });

  it('keeps the failure of the latest stop', async () => {
    const failures = ['first', 'latest'].map(
      (reason, index): JournalRecord => ({
        type: 'session.stop-failed',
        at: ago((2 - index) * MINUTE),
        session: ID,
        reason,
      }),
    );
    const entry = await entryOf({ program: 'dead', records: [begun, ...failures] });
    expect(entry).toMatchObject({ state: 'orphaned', stopFailure: { reason: 'latest' } });
    expect(formatSessionNotes(entry).join()).toContain('latest');
  });

  it('has an unknown id, and may be billed, if the program died before an answer', async () => {
    const entry = await entryOf({ program: 'dead', records: [begun] });
    expect(entry).toMatchObject({ idsKnown: false, mayBillUntil: ago(-10 * MINUTE) });
    expect(entry.stopIds).toEqual([begun.runtimeSessionId]);
    expect(formatSessionNotes(entry).join()).toMatch(/^id unknown, may be billed until \d{4}-/);
    const identified: JournalRecord = {
      type: 'session.identified',
      at: ago(5 * MINUTE),
      session: ID,
      returnedId: 'returned',
      mcpSessionId: 'mcp',
    };
    const known = await entryOf({ program: 'dead', records: [begun, identified] });
    expect(known).toMatchObject({ idsKnown: true, stopIds: ['returned', 'mcp'] });
    expect(formatSessionNotes(known)).toEqual([]);
  });

  it('allows for a call that outlives its program', async () => {
    const entry = await entryOf({
      program: 'dead',
      heartbeatAt: new Date(NOW - 20 * MINUTE),
      records: [
        started(ID, ago(HOUR)),
        { type: 'session.identified', at: ago(HOUR), session: ID, returnedId: 'returned' },
        active(1, ago(HOUR)),
      ],
    });
    // A stream may continue for an hour after the last heartbeat, and then the idle timeout runs.
    expect(entry).toMatchObject({ state: 'orphaned', mayRunOn: true, idleLeft: 55 * MINUTE });
    expect(formatSessionNotes(entry).join()).toContain('may have continued');
  });

  it('is known despite meaningless records', async () => {
    const facts = { ...begun, calls: 0, open: 0, startedAt: 'then', lastActiveAt: 'later' };
    const entries = await entriesOf([
      { records: [begun] },
      {
        records: [
          { type: 'session.carried', at: ago(0), session: 'nonsense', facts },
          started('far', ago(MINUTE), { endpoint: 'nowhere', runtime: 'nothing' }),
          call(1e300, ago(MINUTE), 'far'),
        ],
      },
    ]);
    expect(entries.map(({ id }) => id)).toEqual(['far', ID]);
  });

  it('mentions an assumed timeout if the session expired by it', async () => {
    const file: WrittenFile = { program: 'dead', records: [started(ID, ago(20 * MINUTE))] };
    expect(formatSessionNotes(await entryOf(file, DEFAULT_LIFECYCLE)).join()).toContain(
      'default timeouts',
    );
    expect(formatSessionNotes(await entryOf(file)).join()).not.toContain('default timeouts');
  });
});

describe('the cost of a session so far', () => {
  // An hour costs from $0.00118125 to $0.2546, and idle at most $0.0756.
  it('counts from its start, busy or idle', async () => {
    const records = [started(ID, ago(30 * MINUTE)), call(28 * MINUTE, ago(30 * MINUTE))];
    const { cost, costToCome } = await entryOf({ program: 'alive', records });
    expect(cost.least).toBeCloseTo(0.00118125 / 2, 8);
    expect(cost.most).toBeCloseTo(0.2546 / 2, 8);
    // 13 minutes of memory until the idle timeout.
    expect(costToCome.least).toBeCloseTo((0.00118125 * 13) / 60, 8);
    expect(costToCome.most).toBeCloseTo((0.0756 * 13) / 60, 8);
  });

  it('ends with the session', async () => {
    const records = [started(ID, ago(3 * HOUR)), call(HOUR, ago(3 * HOUR)), stopped(ago(2 * HOUR))];
    const { cost, costToCome } = await entryOf({ program: 'dead', records });
    expect(cost.most).toBeCloseTo(0.2546, 8);
    expect(costToCome).toEqual({ least: 0, most: 0 });
  });

  it('ends with the idle timeout, although the stop was recorded later', async () => {
    const records = [started(ID, ago(3 * HOUR)), stopped(ago(HOUR))];
    const { cost } = await entryOf({ program: 'dead', records });
    expect(cost.most).toBeCloseTo(0.2546 / 4, 8);
  });

  it('excludes the time without a microVM', async () => {
    const records = [started(ID, ago(5 * HOUR)), call(SECOND, ago(5 * MINUTE))];
    const entry = await entryOf({ program: 'alive', records });
    // 15 minutes until the first loss, and 5 of the microVM after it.
    expect(entry.cost.most).toBeCloseTo(0.2546 / 3, 8);
    expect(entry.lifetimeLeft).toBe(8 * HOUR - 5 * MINUTE);
    expect(entry.age).toBe(5 * HOUR);
  });

  it('starts again with the call that started a new microVM', async () => {
    const records = [
      started(ID, ago(2 * HOUR)),
      call(110 * MINUTE, ago(2 * HOUR)),
      stopped(ago(6 * MINUTE)),
      call(SECOND, ago(2 * MINUTE)),
    ];
    const entry = await entryOf({ program: 'alive', records });
    // 114 minutes until the stop, and 2 since then.
    expect(entry.cost.most).toBeCloseTo((0.2546 * 116) / 60, 8);
    expect(entry.lifetimeLeft).toBe(8 * HOUR - 2 * MINUTE);
  });

  it('ends with the stop, although an open call ended later', async () => {
    const records = [
      started(ID, ago(10 * MINUTE)),
      stopped(ago(4 * MINUTE)),
      call(8 * MINUTE, ago(10 * MINUTE)),
    ];
    const { cost } = await entryOf({ program: 'alive', records });
    expect(cost.most).toBeCloseTo(0.2546 / 10, 8);
    expect(cost.least).toBeCloseTo(0.00118125 / 10, 8);
  });

  it.each([
    ['in time', 31 * MINUTE, MINUTE, 31, 31],
    // 10 minutes in use and 15 idle, or else one more hour in a call without a recorded end.
    ['too late', 4 * HOUR, 4 * HOUR - 10 * MINUTE, 25, 85],
  ])(
    'is derived from the last heartbeat if the session was stopped %s after its program died',
    async (_, age, silence, least, most) => {
      const { cost } = await entryOf({
        program: 'dead',
        heartbeatAt: new Date(NOW - silence),
        records: [started(ID, ago(age)), active(1, ago(age)), stopped(ago(0))],
      });
      expect(cost.least).toBeCloseTo((0.00118125 * least) / 60, 8);
      expect(cost.most).toBeCloseTo((0.2546 * most) / 60, 8);
    },
  );

  it('may include an hour of full use after the program died in a call', async () => {
    const file: WrittenFile = {
      program: 'dead',
      heartbeatAt: new Date(NOW),
      records: [started(ID, ago(MINUTE)), active(1, ago(MINUTE))],
    };
    const { costToCome } = await entryOf(file);
    expect(costToCome.least).toBeCloseTo(0.00118125 / 4, 8);
    expect(costToCome.most).toBeCloseTo(0.2546 + 0.0756 / 4, 8);
  });

  it('may be full use until the maximum lifetime while calls are open', async () => {
    const records = [started(ID, ago(2 * HOUR)), active(1, ago(2 * HOUR))];
    const { costToCome, mayBillUntil } = await entryOf({ program: 'alive', records });
    expect(costToCome.least).toBeCloseTo(0.00118125 / 4, 8);
    expect(costToCome.most).toBeCloseTo(0.2546 * 6, 8);
    expect(mayBillUntil).toBe(ago(-6 * HOUR));
  });
});

describe('a session of several programs', () => {
  const shared = { mode: 'identity', runtimeSessionId: 'shared'.padEnd(40, '0') } as const;

  it('counts as one, and is billed once', async () => {
    const entries = await entriesOf([
      { program: 'dead', records: [started('one', ago(30 * MINUTE), shared)] },
      { program: 'alive', records: [started('two', ago(20 * MINUTE), shared)] },
      {
        program: 'alive',
        name: 'cli',
        records: [started('three', ago(10 * MINUTE), shared)],
      },
    ]);
    expect(entries).toHaveLength(1);
    expect(entries[0]).toMatchObject({ id: 'one', state: 'idle', age: 30 * MINUTE });
    expect(entries[0]?.programs.map(({ session, program }) => [session, program])).toEqual([
      ['one', 'proxy'],
      ['two', 'proxy'],
      ['three', 'cli'],
    ]);
    expect(entries[0]?.cost.most).toBeCloseTo(0.2546 / 2, 8);
    expect(entries[0]?.stopIds).toEqual([shared.runtimeSessionId]);
  });

  it('counts as two if the server issued an id to each program', async () => {
    const identified = (session: string): JournalRecord => ({
      type: 'session.identified',
      at: ago(MINUTE),
      session,
      mcpSessionId: `mcp-${session}`,
    });
    const entries = await entriesOf([
      { records: [started('one', ago(5 * MINUTE), shared), identified('one')] },
      { records: [started('two', ago(4 * MINUTE), shared), identified('two')] },
    ]);
    expect(entries.map(({ id }) => id)).toEqual(['two', 'one']);
  });

  it('counts as another if the first one had ended', async () => {
    const entries = await entriesOf([
      { records: [started('one', ago(2 * HOUR), shared)] },
      { program: 'alive', records: [started('two', ago(5 * MINUTE), shared)] },
    ]);
    expect(entries.map(({ id, state }) => [id, state])).toEqual([
      ['two', 'idle'],
      ['one', 'expired'],
    ]);
  });

  it('counts as another on another endpoint of the runtime', async () => {
    const entries = await entriesOf([
      { records: [started('one', ago(5 * MINUTE), shared)] },
      { records: [started('two', ago(5 * MINUTE), { ...shared, qualifier: 'beta' })] },
      { records: [started('three', ago(4 * MINUTE), { ...shared, qualifier: 'DEFAULT' })] },
    ]);
    expect(entries.map(({ programs }) => programs.map(({ session }) => session)).sort()).toEqual([
      ['one', 'three'],
      ['two'],
    ]);
  });

  it('is stopped for all once one program stopped it, and restarted by the next call', async () => {
    const one = {
      records: [started('one', ago(10 * MINUTE), shared), stopped(ago(MINUTE), 'one')],
    };
    const two = started('two', ago(9 * MINUTE), shared);
    const after = await entriesOf([one, { program: 'alive', records: [two] }]);
    expect(after.map(({ state }) => state)).toEqual(['stopped']);
    const again = await entriesOf([
      one,
      { program: 'alive', records: [two, call(SECOND, ago(30 * SECOND), 'two')] },
    ]);
    expect(again.map(({ state }) => state)).toEqual(['idle']);
  });
});
