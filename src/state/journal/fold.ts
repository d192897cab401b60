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
export function reduceSession(
  facts: SessionFacts | undefined,
  record: SessionRecord,
): SessionFacts | undefined {
  if (record.type === 'session.started') return facts ?? createSessionFacts(record);
  if (record.type === 'session.carried') return facts ? mergeFacts(facts, record) : record.facts;
  if (!facts) return undefined;
  switch (record.type) {
    case 'session.identified':
      return {
        ...facts,
        returnedId: record.returnedId ?? facts.returnedId,
        mcpSessionId: record.mcpSessionId ?? facts.mcpSessionId,
        lastActiveAt: getLaterTime(facts.lastActiveAt, record.at),
      };
    case 'session.active':
      return hasEnded(facts) ? facts : { ...reduceActivity(facts, record.at), open: record.open };
    case 'session.replayed':
      return { ...facts, next: record.next };
    case 'session.stop-failed':
      if (hasEnded(facts)) return facts;
      return { ...facts, stopFailure: { reason: record.reason, at: record.at } };
    case 'session.left':
      return reduceEnd(facts, { how: 'left', at: record.at });
    case 'session.lost':
      return reduceEnd(facts, { how: 'lost', at: record.at });
    case 'session.dismissed':
      return reduceEnd(facts, { how: 'dismissed', at: record.at });
    case 'session.stopped':
      // A missing session proves neither that it started nor when it ended.
      if (record.wasGone && hasEnded(facts)) return facts;
      return reduceEnd(facts, { how: 'stopped', at: record.at });
    default:
      return facts;
  }
}

/** Reduces an ended call of a session. */
export function reduceCall(facts: SessionFacts, call: CallRecord): SessionFacts {
  const endedAt = addMilliseconds(call.at, call.milliseconds);
  const revives = facts.end?.how === 'left' && call.at > facts.end.at;
  return {
    ...facts,
    calls: facts.calls + 1,
    lastActiveAt: getLaterTime(facts.lastActiveAt, endedAt),
    end: revives ? undefined : facts.end,
  };
}

/**
 * True if a session is stopped, lost or dismissed. A session with the end `left` may still run and
 * incur cost.
 */
export function hasEnded(facts: SessionFacts): boolean {
  return facts.end !== undefined && facts.end.how !== 'left';
}

/** True if the record identifies a session. */
export function isOrigin(record: JournalRecord): boolean {
  return record.type === 'session.started' || record.type === 'session.carried';
}

/** True if the record ends a session. */
export function isEnd(record: JournalRecord): boolean {
  return ['session.stopped', 'session.lost', 'session.dismissed'].includes(record.type);
}

function createSessionFacts(
  record: SessionRecord & { readonly type: 'session.started' },
): SessionFacts {
  const { type: _, at, ...origin } = record;
  return { ...origin, startedAt: at, lastActiveAt: at, open: 0, calls: 0 };
}

function reduceActivity(facts: SessionFacts, at: string): SessionFacts {
  const end = facts.end && at > facts.end.at ? undefined : facts.end;
  return { ...facts, lastActiveAt: getLaterTime(facts.lastActiveAt, at), end };
}

/** Priority, regardless of writer and order: stopped, then lost or dismissed, then left. */
function reduceEnd(facts: SessionFacts, end: End): SessionFacts {
  const decisive = getDecisiveEnd(facts.end, end);
  if (decisive !== end) return facts;
  return {
    ...facts,
    end,
    open: 0,
    stopFailure: hasEnded({ ...facts, end }) ? undefined : facts.stopFailure,
  };
}

const WEIGHTS = { left: 0, lost: 1, dismissed: 1, stopped: 2 } as const;

function getDecisiveEnd(one: End | undefined, other: End | undefined): End | undefined {
  if (!one || !other) return one ?? other;
  const difference = WEIGHTS[one.how] - WEIGHTS[other.how];
  if (difference !== 0) return difference > 0 ? one : other;
  // If a session is left again after use, the later time applies. For other ends, the first time
  // applies.
  if (one.how === 'left') return one.at > other.at ? one : other;
  return one.at <= other.at ? one : other;
}

/** Merges the facts of another file, because each may lack records of the other. */
function mergeFacts(facts: SessionFacts, { facts: carried }: SessionCarried): SessionFacts {
  const known = clearLeftEnd(facts, carried);
  const end = getDecisiveEnd(known.end, clearLeftEnd(carried, known).end);
  const isNewer = carried.lastActiveAt >= known.lastActiveAt;
  return {
    ...known,
    startedAt: getEarlierTime(known.startedAt, carried.startedAt),
    lastActiveAt: getLaterTime(known.lastActiveAt, carried.lastActiveAt),
    returnedId: carried.returnedId ?? known.returnedId,
    mcpSessionId: carried.mcpSessionId ?? known.mcpSessionId,
    open: end ? 0 : isNewer ? carried.open : known.open,
    // A file with a carried session has already counted the calls of earlier files.
    calls: Math.max(known.calls, carried.calls),
    end,
    stopFailure:
      end && end.how !== 'left' ? undefined : getLatest(known.stopFailure, carried.stopFailure),
    next: carried.next ?? known.next,
  };
}

/** Removes the end `left` if `other` recorded later activity. */
function clearLeftEnd(facts: SessionFacts, other: SessionFacts): SessionFacts {
  const { end } = facts;
  if (end?.how !== 'left' || other.end || other.lastActiveAt <= end.at) return facts;
  return { ...facts, end: undefined };
}

function getLatest<T extends { readonly at: string }>(
  one: T | undefined,
  other: T | undefined,
): T | undefined {
  if (!one || !other) return one ?? other;
  return one.at > other.at ? one : other;
}

/** `at` if the sum is not a valid time. */
function addMilliseconds(at: string, milliseconds: number): string {
  const time = new Date(Date.parse(at) + milliseconds);
  return Number.isNaN(time.getTime()) ? at : time.toISOString();
}

function getLaterTime(one: string, other: string): string {
  return one > other ? one : other;
}

function getEarlierTime(one: string, other: string): string {
  return one < other ? one : other;
}
