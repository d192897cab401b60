import type { Lifecycle } from './lifecycle.ts';
import type { Span } from './session-uses.ts';

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
