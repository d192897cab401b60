import type {
  CallRecord,
  JournalRecord,
  SessionCarried,
  SessionFacts,
  SessionRecord,
} from './records.ts';

type End = NonNullable<SessionFacts['end']>;

/**
 * What is known of a session after one more of its records, taken in the order of their times; the
 * records may stand in files of several programs. Undefined for as long as nothing has said what
 * session it is (`session.started` or `session.carried`).
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
      // That a session is gone proves neither that it began nor when it ended.
      if (record.wasGone && isOver(facts)) return facts;
      return ended(facts, { how: 'stopped', at: record.at });
    default:
      return facts;
  }
}

/** What is known of a session after one of its calls has ended. */
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

/** True once a session is stopped, lost or dismissed: one that was left may still be running, and cost. */
export function isOver(facts: SessionFacts): boolean {
  return facts.end !== undefined && facts.end.how !== 'left';
}

export function isOfSession(record: JournalRecord): record is SessionRecord {
  return record.type.startsWith('session.');
}

/** True for what says which session it is. */
export function isOrigin(record: JournalRecord): boolean {
  return record.type === 'session.started' || record.type === 'session.carried';
}

/** True for what says that a session is over. */
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

/** Stopped outweighs lost and dismissed, and those outweigh left, whoever wrote it and whichever came last. */
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
  // Left again after it was used again counts anew; what is over is over since the first time.
  if (one.how === 'left') return one.at > other.at ? one : other;
  return one.at <= other.at ? one : other;
}

/** The same session as another file knows it: each side may know what the other has not seen. */
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
    // A file that carries a session on has counted the calls of the files before it.
    calls: Math.max(known.calls, carried.calls),
    end,
    stopFailure:
      end && end.how !== 'left' ? undefined : latest(known.stopFailure, carried.stopFailure),
    next: carried.next ?? known.next,
  };
}

/** `facts`, without having been left if `other` saw it at work after that. */
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

/** `at` itself where the sum is no time. */
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
