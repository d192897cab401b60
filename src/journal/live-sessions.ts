import type { JournalRecord, SessionCarried, SessionFacts } from './records.ts';
import { hasEnded, reduceCall, reduceSession } from './session-facts.ts';

/** The recorded sessions without an end. The next file must carry them over. */
export class OpenSessions {
  readonly #facts = new Map<string, SessionFacts>();
  readonly #getLifetimeMs: (facts: SessionFacts) => number;

  constructor(lifetimeOf: (facts: SessionFacts) => number) {
    this.#getLifetimeMs = lifetimeOf;
  }

  get isEmpty(): boolean {
    return this.#facts.size === 0;
  }

  fold(record: JournalRecord): void {
    if (record.type === 'program' || record.type === 'error') return;
    const known = record.session === undefined ? undefined : this.#facts.get(record.session);
    if (record.type === 'call') {
      if (known) this.#facts.set(known.session, reduceCall(known, record));
      return;
    }
    const facts = reduceSession(known, record);
    if (facts && !hasEnded(facts)) this.#facts.set(record.session, facts);
    else this.#facts.delete(record.session);
  }

  /**
   * The records to carry over into a file started at `now`. Drops detached sessions whose maximum
   * lifetime has passed.
   */
  carried(now: Date): SessionCarried[] {
    const at = now.toISOString();
    const carried: SessionCarried[] = [];
    for (const [session, facts] of this.#facts) {
      const goneAt = Date.parse(facts.lastActiveAt) + this.#getLifetimeMs(facts);
      if (facts.end && goneAt < now.getTime()) this.#facts.delete(session);
      else carried.push({ type: 'session.carried', at, session, facts });
    }
    return carried;
  }
}
