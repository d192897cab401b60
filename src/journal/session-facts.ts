import type {
  CallRecord,
  JournalRecord,
  SessionCarried,
  SessionFacts,
  SessionRecord,
} from './records.ts';

type End = NonNullable<SessionFacts['end']>;

/**
 * Reduces a session's next record, in the order of time. Records may be in files of several
 * programs. Returns `undefined` until a `session.started` or `session.carried` record identifies
 * the session.
 */
export function foldSession(
  facts: SessionFacts | undefined,
  record: SessionRecord,
): SessionFacts | undefined {
  if (record.type === 'session.started') return facts ?? begun(record);
  if (record.type === 'session.carried') return facts ? merged(facts, record) : record.facts;
  if (!facts) return undefined;
  switch (record.type) {
    case 'session.identified':
      return {
        ...facts,
        returnedId: record.returnedId ?? facts.returnedId,
        mcpSessionId: record.mcpSessionId ?? facts.mcpSessionId,
        lastActiveAt: later(facts.lastActiveAt, record.at),
      };
    case 'session.active':
      return isOver(facts) ? facts : { ...inUseSince(facts, record.at), open: record.open };
    case 'session.replayed':
      return { ...facts, next: record.next };
    case 'session.stop-failed':
      if (isOver(facts)) return facts;
      return { ...facts, stopFailure: { reason: record.reason, at: record.at } };
    case 'session.left':
      return ended(facts, { how: 'left', at: record.at });
    case 'session.lost':
      return ended(facts, { how: 'lost', at: record.at });
    case 'session.dismissed':
      return ended(facts, { how: 'dismissed', at: record.at });
    case 'session.stopped':
      // A missing session proves neither that it started nor when it ended.
      if (record.wasGone && isOver(facts)) return facts;
      return ended(facts, { how: 'stopped', at: record.at });
    default:
      return facts;
  }
}

/** Reduces an ended call of a session. */
export function withCall(facts: SessionFacts, call: CallRecord): SessionFacts {
  const endedAt = timeAfter(call.at, call.milliseconds);
  const revives = facts.end?.how === 'left' && call.at > facts.end.at;
  return {
    ...facts,
    calls: facts.calls + 1,
    lastActiveAt: later(facts.lastActiveAt, endedAt),
    end: revives ? undefined : facts.end,
  };
}

/**
 * True if a session is stopped, lost or dismissed. A session with the end `left` may still run and
 * incur cost.
 */
export function isOver(facts: SessionFacts): boolean {
  return facts.end !== undefined && facts.end.how !== 'left';
}

export function isOfSession(record: JournalRecord): record is SessionRecord {
  return record.type.startsWith('session.');
}

/** True if the record identifies a session. */
export function isOrigin(record: JournalRecord): boolean {
  return record.type === 'session.started' || record.type === 'session.carried';
}

/** True if the record ends a session. */
export function isEnd(record: JournalRecord): boolean {
  return ['session.stopped', 'session.lost', 'session.dismissed'].includes(record.type);
}

function begun(record: SessionRecord & { readonly type: 'session.started' }): SessionFacts {
  const { type: _, at, ...origin } = record;
  return { ...origin, startedAt: at, lastActiveAt: at, open: 0, calls: 0 };
}

function inUseSince(facts: SessionFacts, at: string): SessionFacts {
  const end = facts.end && at > facts.end.at ? undefined : facts.end;
  return { ...facts, lastActiveAt: later(facts.lastActiveAt, at), end };
}

/** Priority, regardless of writer and order: stopped, then lost or dismissed, then left. */
function ended(facts: SessionFacts, end: End): SessionFacts {
  const decisive = stronger(facts.end, end);
  if (decisive !== end) return facts;
  return {
    ...facts,
    end,
    open: 0,
    stopFailure: isOver({ ...facts, end }) ? undefined : facts.stopFailure,
  };
}

const WEIGHTS = { left: 0, lost: 1, dismissed: 1, stopped: 2 } as const;

function stronger(one: End | undefined, other: End | undefined): End | undefined {
  if (!one || !other) return one ?? other;
  const difference = WEIGHTS[one.how] - WEIGHTS[other.how];
  if (difference !== 0) return difference > 0 ? one : other;
  // If a session is left again after use, the later time applies. For other ends, the first time
  // applies.
  if (one.how === 'left') return one.at > other.at ? one : other;
  return one.at <= other.at ? one : other;
}

/** Merges the facts of another file, because each may lack records of the other. */
function merged(facts: SessionFacts, { facts: carried }: SessionCarried): SessionFacts {
  const known = inUseAgain(facts, carried);
  const end = stronger(known.end, inUseAgain(carried, known).end);
  const isNewer = carried.lastActiveAt >= known.lastActiveAt;
  return {
    ...known,
    startedAt: earlier(known.startedAt, carried.startedAt),
    lastActiveAt: later(known.lastActiveAt, carried.lastActiveAt),
    returnedId: carried.returnedId ?? known.returnedId,
    mcpSessionId: carried.mcpSessionId ?? known.mcpSessionId,
    open: end ? 0 : isNewer ? carried.open : known.open,
    // A file with a carried session has already counted the calls of earlier files.
    calls: Math.max(known.calls, carried.calls),
    end,
    stopFailure:
      end && end.how !== 'left' ? undefined : latest(known.stopFailure, carried.stopFailure),
    next: carried.next ?? known.next,
  };
}

/** Removes the end `left` if `other` recorded later activity. */
function inUseAgain(facts: SessionFacts, other: SessionFacts): SessionFacts {
  const { end } = facts;
  if (end?.how !== 'left' || other.end || other.lastActiveAt <= end.at) return facts;
  return { ...facts, end: undefined };
}

function latest<T extends { readonly at: string }>(
  one: T | undefined,
  other: T | undefined,
): T | undefined {
  if (!one || !other) return one ?? other;
  return one.at > other.at ? one : other;
}

/** `at` if the sum is not a valid time. */
function timeAfter(at: string, milliseconds: number): string {
  const time = new Date(Date.parse(at) + milliseconds);
  return Number.isNaN(time.getTime()) ? at : time.toISOString();
}

function later(one: string, other: string): string {
  return one > other ? one : other;
}

function earlier(one: string, other: string): string {
  return one < other ? one : other;
}
