import type { JournalRecord } from '../state/journal/records.ts';
import type { Lifecycle } from './lifecycle.ts';

/** What is known of the use of one runtime session. Times are milliseconds since 1970. */
interface LifeFacts {
  /** When it was at work, in order; never empty. */
  readonly spans: readonly Span[];
  /** When it was last put to work. */
  readonly lastBegin: number;
  /** When it was stopped, or found to be gone. */
  readonly ends: readonly number[];
  /** Milliseconds after its last known use for which it may have been at work unseen. */
  readonly unseen: number;
  readonly lifecycle: Lifecycle;
  readonly now: number;
}

/** How long its microVMs, one after the other, have lived, and how long the last one may. */
export interface SessionTimeline {
  /** Milliseconds for which it has had a microVM. */
  readonly ran: { readonly least: number; readonly most: number };
  /** When the last microVM has been idle for long enough, at the latest. */
  readonly idleUntil: number;
  /** The same if the session was not at work unseen. */
  readonly idleFrom: number;
  /** When the last microVM has reached its maximum lifetime, at the latest. */
  readonly lifetimeUntil: number;
  /** When it was stopped or found to be gone, unless it has been used again. */
  readonly endedAt: number | undefined;
}

/** A microVM by the first and last known use of it. */
interface MicroVm extends Span {
  /** When it was stopped or found to be gone, and another one followed. */
  readonly cut?: number | undefined;
}

/** A microVM ends when it was idle for long enough or is stopped, and the next call boots another. */
export function createTimeline(facts: LifeFacts): SessionTimeline {
  const { ends, lastBegin, unseen, lifecycle, now } = facts;
  const { idleTimeout, maxLifetime } = lifecycle;
  const microVms = toMicroVms(facts);
  const last = microVms.at(-1) as MicroVm;
  const earlier = microVms.slice(0, -1).reduce((sum, { from, to, cut = Infinity }) => {
    return sum + Math.min(to + idleTimeout, cut, from + maxLifetime) - from;
  }, 0);
  // One that was used beyond its lifetime has been replaced meanwhile, at the latest by its last use.
  const bornAt = last.to - last.from > maxLifetime ? last.to : last.from;
  const idleFrom = last.to + idleTimeout;
  const idleUntil = idleFrom + unseen;
  const lifetimeUntil = bornAt + maxLifetime;
  // The first proof counts: whoever finds the session gone later tells nothing new.
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

/** A stretch of time, in milliseconds since 1970. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/** When a session was at work, as far as the journal tells. */
export interface SessionUse {
  /** In order, without overlaps. */
  readonly spans: readonly Span[];
  /** When it was last put to work: later than its end, it has been revived. */
  readonly lastBegin: number;
  /** Whenever it was stopped, or found to be gone. */
  readonly ends: readonly number[];
  /** Calls under way when its program last said so, be it before the session's end. */
  readonly open: number;
}

const NO_USE: SessionUse = { spans: [], lastBegin: -Infinity, ends: [], open: 0 };

/** The shortest idle timeout that a runtime can have: shorter pauses never end a microVM. */
const MERGE_GAP_MS = 60_000;

/** That a session is at work is written with so much delay at the most. */
const WRITTEN_AFTER = 1_000;

/**
 * Learns from records in any order when each session was at work. The folded facts say when it was
 * so at first and at last; in between its microVM may have gone and come again, and who is stopped
 * is revived by the next call.
 */
export class SessionActivityIndex {
  readonly #uses = new Map<string, SessionUse>();
  /** Since when calls have been under way, by session. */
  readonly #busySince = new Map<string, number>();

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
        // The answer to a call that is going on, so nothing begins.
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
      this.#used(session, { from: since, to: Math.max(since, at) }, since - WRITTEN_AFTER);
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

/** The same times in order, with short pauses filled. */
export function mergeSpans(spans: readonly Span[]): readonly Span[] {
  const result: Span[] = [];
  for (const span of [...spans].sort((one, other) => one.from - other.from)) {
    const last = result.at(-1);
    if (!last || span.from - last.to > MERGE_GAP_MS) result.push(span);
    else result[result.length - 1] = { from: last.from, to: Math.max(last.to, span.to) };
  }
  return result;
}
