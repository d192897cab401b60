import type { JournalRecord } from '../state/journal/records.ts';
import type { Lifecycle } from './lifecycle.ts';

/**
 * Computes from journal records when each session was used, how many microVMs it had, and how long
 * they ran. Cost and timeouts are based on these times.
 */

/** The known use of one runtime session. Times are milliseconds since 1970. */
interface LifeFacts {
  /** Times of use in order. Never empty. */
  readonly spans: readonly Span[];
  /** Start of the last use. */
  readonly lastBegin: number;
  /** Times of its ends: stopped, dismissed, lost, or found to be gone. */
  readonly ends: readonly number[];
  /** Maximum milliseconds of calls after the last known use. */
  readonly unseen: number;
  readonly lifecycle: Lifecycle;
  readonly now: number;
}

/** Lifetimes of a session's successive microVMs. Times are milliseconds since 1970. */
export interface SessionTimeline {
  /** Total milliseconds with a microVM. */
  readonly ran: { readonly least: number; readonly most: number };
  /** Latest possible idle timeout of the last microVM. */
  readonly idleUntil: number;
  /** Earliest possible idle timeout, if no call ran on after the last known use. */
  readonly idleFrom: number;
  /** Latest possible end of the last microVM by its maximum lifetime. */
  readonly lifetimeUntil: number;
  /** Time of the first end after the last use. `undefined` if there is none. */
  readonly endedAt: number | undefined;
}

/** The first and last known use of a microVM. */
interface MicroVm extends Span {
  /** Time of its end by a stop or a loss, if another microVM followed. */
  readonly cut?: number | undefined;
}

/**
 * Computes the lifetimes of a session's microVMs. A microVM ends at its idle timeout, at its
 * maximum lifetime or when it is stopped. The next call starts another one.
 */
export function createTimeline(facts: LifeFacts): SessionTimeline {
  const { ends, lastBegin, unseen, lifecycle, now } = facts;
  const { idleTimeout, maxLifetime } = lifecycle;
  const microVms = toMicroVms(facts);
  const last = microVms.at(-1) as MicroVm;
  const earlier = microVms.slice(0, -1).reduce((sum, { from, to, cut = Infinity }) => {
    return sum + Math.min(to + idleTimeout, cut, from + maxLifetime) - from;
  }, 0);
  // After its maximum lifetime, another microVM replaced it, at the latest for the last use.
  const bornAt = last.to - last.from > maxLifetime ? last.to : last.from;
  const idleFrom = last.to + idleTimeout;
  const idleUntil = idleFrom + unseen;
  const lifetimeUntil = bornAt + maxLifetime;
  // The first end counts. Later ones only confirm it.
  const endedAt = ends.filter((end) => end >= lastBegin).sort((one, other) => one - other)[0];
  const ranUntil = (moment: number) => {
    const until = Math.min(now, moment, lifetimeUntil, endedAt ?? Infinity);
    return earlier + Math.max(0, until - last.from);
  };
  return {
    ran: { least: ranUntil(idleFrom), most: ranUntil(idleUntil) },
    idleUntil,
    idleFrom,
    lifetimeUntil,
    endedAt,
  };
}

function toMicroVms({ spans, ends, lifecycle }: LifeFacts): readonly MicroVm[] {
  const cuts = [...ends].sort((one, other) => one - other);
  const microVms: MicroVm[] = [];
  for (const piece of spans.flatMap((span) => splitSpan(span, cuts))) {
    const last = microVms.at(-1);
    const cut = last && cuts.find((cut) => last.to <= cut && cut <= piece.from);
    if (last && cut === undefined && piece.from - last.to <= lifecycle.idleTimeout) {
      microVms[microVms.length - 1] = { from: last.from, to: piece.to };
      continue;
    }
    if (last) microVms[microVms.length - 1] = { ...last, cut };
    microVms.push(piece);
  }
  return microVms;
}

function splitSpan(span: Span, cuts: readonly number[]): Span[] {
  const inside = cuts.filter((cut) => span.from < cut && cut < span.to);
  const bounds = [span.from, ...inside, span.to];
  return bounds.slice(1).map((to, index) => ({ from: bounds[index] as number, to }));
}

/** A period of time, in milliseconds since 1970. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/** The use of a session according to the journal. Times are milliseconds since 1970. */
export interface SessionUse {
  /** In order, without overlaps. */
  readonly spans: readonly Span[];
  /** Start of the last use. If it is later than the last end, the session has started again. */
  readonly lastBegin: number;
  /** Times of its ends: stopped, dismissed, lost, or found to be gone. */
  readonly ends: readonly number[];
  /** Number of open calls in the last record with this number. An end does not reset it. */
  readonly open: number;
}

const NO_USE: SessionUse = { spans: [], lastBegin: -Infinity, ends: [], open: 0 };

/** Minimum idle timeout of a runtime. Shorter pauses never end a microVM. */
const MERGE_GAP_MS = 60_000;

/** Maximum milliseconds between the start of activity and its record. */
const MAX_RECORD_DELAY_MS = 1_000;

/**
 * Collects the times of use of each session from records. `SessionFacts` have only the first and
 * the last time, but microVMs may have ended and started between them. Programs may come in any
 * order, but the records of one program must be in order.
 */
export class SessionActivityIndex {
  readonly #uses = new Map<string, SessionUse>();
  /** Start of the current activity, by session. */
  readonly #busySince = new Map<string, number>();

  /** @param session Local id. A session without records has no use. */
  of(session: string): SessionUse {
    return this.#uses.get(session) ?? NO_USE;
  }

  add(record: JournalRecord): void {
    if (record.type === 'program' || record.session === undefined) return;
    const { session } = record;
    const at = Date.parse(record.at);
    switch (record.type) {
      case 'session.started':
        this.#used(session, { from: at, to: at });
        break;
      case 'session.carried': {
        const { startedAt, lastActiveAt, open, end } = record.facts;
        const from = Date.parse(startedAt);
        if (end && end.how !== 'left') this.#ended(session, Date.parse(end.at));
        this.#used(session, { from, to: Math.max(from, Date.parse(lastActiveAt)) });
        this.#busy(session, at, open);
        break;
      }
      case 'session.identified':
        // Part of the response to an open call, so it does not count as a start.
        this.#used(session, { from: at, to: at }, -Infinity);
        break;
      case 'call':
        this.#used(session, { from: at, to: at + Math.max(0, record.milliseconds) });
        break;
      case 'session.active':
        this.#busy(session, at, record.open);
        break;
      case 'session.left':
        this.#busy(session, at, 0);
        break;
      case 'session.lost':
      case 'session.dismissed':
      case 'session.stopped':
        this.#ended(session, at);
    }
  }

  #busy(session: string, at: number, open: number): void {
    const since = this.#busySince.get(session) ?? (open > 0 ? at : undefined);
    if (since !== undefined) {
      this.#used(session, { from: since, to: Math.max(since, at) }, since - MAX_RECORD_DELAY_MS);
    }
    if (open === 0 || since === undefined) this.#busySince.delete(session);
    else this.#busySince.set(session, since);
    const use = this.#uses.get(session);
    if (use) this.#uses.set(session, { ...use, open });
  }

  #ended(session: string, at: number): void {
    const use = this.of(session);
    this.#uses.set(session, { ...use, ends: [...use.ends, at] });
  }

  #used(session: string, span: Span, begin = span.from): void {
    const { spans, lastBegin, ...rest } = this.of(session);
    this.#uses.set(session, {
      ...rest,
      spans: mergeSpans([...spans, span]),
      lastBegin: Math.max(lastBegin, begin),
    });
  }
}

/** Sorts the spans and merges those with overlaps or with pauses up to `MERGE_GAP_MS`. */
export function mergeSpans(spans: readonly Span[]): readonly Span[] {
  const result: Span[] = [];
  for (const span of [...spans].sort((one, other) => one.from - other.from)) {
    const last = result.at(-1);
    if (!last || span.from - last.to > MERGE_GAP_MS) result.push(span);
    else result[result.length - 1] = { from: last.from, to: Math.max(last.to, span.to) };
  }
  return result;
}
