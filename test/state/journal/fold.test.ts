import { describe, expect, test } from 'vitest';
import { reduceCall, reduceSession } from '../../../src/state/journal/fold.ts';
import type { SessionFacts, SessionRecord } from '../../../src/state/journal/records.ts';
import { at, call, facts, ORIGIN, started } from './records.ts';

const fold = (...records: SessionRecord[]) =>
  records.reduce<SessionFacts | undefined>(reduceSession, undefined);

const active = (seconds: number, open = 1): SessionRecord => ({
  type: 'session.active',
  at: at(seconds),
  session: 'a',
  open,
});
const left = (seconds: number): SessionRecord => ({
  type: 'session.left',
  at: at(seconds),
  session: 'a',
});
const lost = (seconds: number): SessionRecord => ({
  type: 'session.lost',
  at: at(seconds),
  session: 'a',
  reason: 'gone',
});
const stopped = (seconds: number): SessionRecord => ({
  type: 'session.stopped',
  at: at(seconds),
  session: 'a',
  wasGone: false,
});
const gone = (seconds: number): SessionRecord => ({
  type: 'session.stopped',
  at: at(seconds),
  session: 'a',
  wasGone: true,
});
const dismissed = (seconds: number): SessionRecord => ({
  type: 'session.dismissed',
  at: at(seconds),
  session: 'a',
});
const stopFailed = (seconds: number): SessionRecord => ({
  type: 'session.stop-failed',
  at: at(seconds),
  session: 'a',
  reason: 'denied',
});
const carried = (seconds: number, more: Partial<SessionFacts>): SessionRecord => ({
  type: 'session.carried',
  at: at(seconds),
  session: 'a',
  facts: facts('a', more),
});

test('a session begins with the facts from before its first invoke', () => {
  expect(fold(started('a'))).toEqual({
    session: 'a',
    ...ORIGIN,
    startedAt: at(0),
    lastActiveAt: at(0),
    open: 0,
    calls: 0,
  });
});

test('records of a session without a start record are ignored', () => {
  expect(fold(active(1), stopped(2))).toBeUndefined();
});

test('later facts are added, and a second start record resets nothing', () => {
  const identified = { type: 'session.identified', at: at(1), session: 'a' } as const;
  const known = fold(
    started('a'),
    { ...identified, returnedId: 'r' },
    { ...identified, mcpSessionId: 'm' },
    active(2, 3),
    started('a', 5),
  );
  expect(known).toEqual(
    facts('a', { returnedId: 'r', mcpSessionId: 'm', lastActiveAt: at(2), open: 3 }),
  );
});

test('a repeated handshake names the new session', () => {
  const replayed = {
    type: 'session.replayed',
    at: at(1),
    session: 'a',
    next: 'b',
    reason: 'gone',
    milliseconds: 10,
    calls: 1,
    toolsChanged: false,
  } as const;
  expect(fold(started('a'), lost(0.5), replayed)).toMatchObject({
    next: 'b',
    end: { how: 'lost' },
  });
});

test.each([
  ['detached', [left(1)], 'left', 1],
  ['detached again', [left(1), left(3)], 'left', 3],
  ['lost', [lost(1)], 'lost', 1],
  ['stopped', [stopped(1)], 'stopped', 1],
  ['detached, then stopped', [left(1), stopped(2)], 'stopped', 2],
  ['lost, then stopped', [lost(1), stopped(2)], 'stopped', 2],
  ['stopped, then lost', [stopped(1), lost(2)], 'stopped', 1],
  ['dismissed', [dismissed(1)], 'dismissed', 1],
  ['dismissed, then stopped', [dismissed(1), stopped(2)], 'stopped', 2],
  ['lost, then not found', [lost(1), gone(2)], 'lost', 1],
  ['stopped, then not found', [stopped(1), gone(2)], 'stopped', 1],
  ['stopped, then detached', [stopped(1), left(2)], 'stopped', 1],
  ['stopped twice', [stopped(1), stopped(2)], 'stopped', 1],
  ['lost, then active', [lost(1), active(2)], 'lost', 1],
  ['stopped, then active', [stopped(1), active(2)], 'stopped', 1],
] as const)('a session that was %s', (_, records, how, seconds) => {
  expect(fold(started('a'), active(0.5), ...records)).toMatchObject({
    end: { how, at: at(seconds) },
    open: 0,
    lastActiveAt: at(0.5),
  });
});

test('a detached session that gets another call is in use again', () => {
  const known = fold(started('a'), left(1), active(2));
  expect(known?.end).toBeUndefined();
  expect(known).toMatchObject({ open: 1, lastActiveAt: at(2) });
});

test('a session whose last call was before its detachment stays detached', () => {
  expect(fold(started('a'), left(2), active(1))?.end).toEqual({ how: 'left', at: at(2) });
});

test('a failed stop is kept until the session is stopped', () => {
  const failed = fold(started('a'), stopFailed(1), stopFailed(2));
  expect(failed?.stopFailure).toEqual({ reason: 'denied', at: at(2) });
  expect(fold(started('a'), stopFailed(1), stopped(2))?.stopFailure).toBeUndefined();
  expect(fold(started('a'), stopped(2), stopFailed(1))?.stopFailure).toBeUndefined();
});

describe('a call', () => {
  test('is counted, and the session is active until its end', () => {
    expect(reduceCall(facts('a'), call('a', 3))).toMatchObject({ calls: 1, lastActiveAt: at(3.5) });
    const later = facts('a', { lastActiveAt: at(9), calls: 4 });
    expect(reduceCall(later, call('a', 3))).toMatchObject({ calls: 5, lastActiveAt: at(9) });
  });

  test('that began after the session was detached puts it in use again', () => {
    const known = facts('a', { end: { how: 'left', at: at(5) } });
    expect(reduceCall(known, call('a', 6)).end).toBeUndefined();
    expect(reduceCall(known, call('a', 4)).end).toEqual(known.end);
  });

  test('of an impossible duration counts as zero', () => {
    const known = reduceCall(facts('a'), call('a', 3, { milliseconds: 1e300 }));
    expect(known.lastActiveAt).toBe(at(3));
  });
});

describe('a session that is carried over', () => {
  test('is known without its earlier records', () => {
    const more = { calls: 7, mcpSessionId: 'm', lastActiveAt: at(8) };
    expect(fold(carried(9, more))).toEqual(facts('a', more));
  });

  test('counts each call once, and keeps the later activity', () => {
    const known = facts('a', { calls: 7, lastActiveAt: at(8), open: 2 });
    expect(reduceSession(known, carried(9, { calls: 7, lastActiveAt: at(6) }))).toEqual(known);
    expect(
      reduceSession(known, carried(9, { calls: 8, lastActiveAt: at(9), open: 1 })),
    ).toMatchObject({ calls: 8, lastActiveAt: at(9), open: 1 });
  });

  test('stays ended if another program ended it', () => {
    expect(
      fold(started('a'), stopped(5), carried(9, { lastActiveAt: at(8), open: 1 })),
    ).toMatchObject({
      end: { how: 'stopped', at: at(5) },
      open: 0,
    });
  });

  test('is in use again if it was active after it was detached', () => {
    const known = fold(started('a'), left(5), carried(9, { lastActiveAt: at(8) }));
    expect(known?.end).toBeUndefined();
    const still = fold(started('a'), left(5), carried(9, { lastActiveAt: at(4) }));
    expect(still?.end).toEqual({ how: 'left', at: at(5) });
  });
});
