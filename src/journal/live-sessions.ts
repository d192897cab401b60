import type { JournalRecord, SessionCarried, SessionFacts } from './records.ts';
import { foldSession, isOver, withCall } from './session-facts.ts';

/** The recorded sessions without an end. The next file must carry them over. */
export class LiveSessions {
  readonly #facts = new Map<string, SessionFacts>();
  readonly #lifetimeOf: (facts: SessionFacts) => number;

  constructor(lifetimeOf: (facts: SessionFacts) => number) {
    this.#lifetimeOf = lifetimeOf;
  }

  get isEmpty(): boolean {
    return this.#facts.size === 0;
  }

  fold(record: JournalRecord): void {
    if (record.type === 'program' || record.type === 'error') return;
    const known = record.session === undefined ? undefined : this.#facts.get(record.session);
    if (record.type === 'call') {
      if (known) this.#facts.set(known.session, withCall(known, record));
      return;
    }
    const facts = foldSession(known, record);
    if (facts && !isOver(facts)) this.#facts.set(record.session, facts);
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
      const goneAt = Date.parse(facts.lastActiveAt) + this.#lifetimeOf(facts);
      if (facts.end && goneAt < now.getTime()) this.#facts.delete(session);
      else carried.push({ type: 'session.carried', at, session, facts });
    }
    return carried;
  }
}
