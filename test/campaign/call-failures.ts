import { kindOfExchange } from './error-kinds.ts';
import type { Exchange, ExchangeLog, Outage } from './exchanges.ts';
import { type Life, traceOf } from './life.ts';
import type { Asked } from './proxy-client.ts';

/** Milliseconds before the first retry. Each further delay is up to twice as long. */
const FIRST_PAUSE_MS = 200;
const MAX_PAUSE_MS = 5_000;
/** The longest Retry-After of a fault in the plan, in milliseconds. */
const RETRY_AFTER_MS = 1_000;
/** Milliseconds, on an idle machine, until a proxy detects that its connection is broken. */
const NOTICED_AFTER_MS = 250;

/** The failed attempts of a request before its error, and the cost of the next attempt. */
interface Failures {
  /** The maximum number that the faults explain. Refusals by a busy service do not count. */
  readonly failures: number;
  /** The longest possible delay before the next attempt. */
  readonly pauseMs: number;
  readonly spentMs: number;
}

export interface CallFailuresOptions {
  readonly network: ExchangeLog;
  readonly life: Life;
  readonly asked: Asked;
  readonly key: string;
  readonly slowness: number;
}

/** The faults that affected one call, from the log of the network. */
export class CallFailures {
  readonly #options: CallFailuresOptions;
  readonly #exchanges: readonly Exchange[];

  constructor(options: CallFailuresOptions) {
    this.#options = options;
    this.#exchanges = options.network.of(traceOf(options.key));
  }

  /** The number of errors in which the server reported an unknown session. */
  get losses(): number {
    return this.#exchanges.filter((context) => kindOfExchange(context) === 'lost').length;
  }

  /** True if a probe of the call's session got no answer while the call was open. */
  get hasUnansweredProbe(): boolean {
    const { network, asked } = this.#options;
    const sessions = new Set(this.#exchanges.map(({ session }) => session));
    return network
      .ownRequests('tools/list', sessions)
      .filter(({ at, endedAt = at }) => at < this.#until && endedAt > asked.askedAt)
      .some((probe) => !probe.hasResult);
  }

  /** True if a request of the call or of its handshake failed, or an outage may have hit one. */
  hasFault(timeMs: number): boolean {
    const { askedAt } = this.#options.asked;
    const exchanges = [...this.#exchanges, ...this.#handshakes(timeMs)];
    return (
      exchanges.some((context) => kindOfExchange(context) !== undefined) ||
      this.#unseenFailures(askedAt - timeMs) > 0
    );
  }

  ofCall(): Failures {
    return this.#count(this.#exchanges, this.#options.asked.askedAt);
  }

  /**
   * The same for the handshake that the call waited for, which may have begun up to `timeMs` before
   * the call.
   */
  ofHandshake(timeMs: number): Failures {
    const { network, asked } = this.#options;
    const before = this.#handshakes(timeMs);
    const success = before.findLastIndex(
      (context) => context.hasResult && context.at < asked.askedAt,
    );
    const exchanges = before.slice(success + 1);
    const outage = network.outages.find(
      ({ from }) => from >= asked.askedAt - timeMs && from < asked.askedAt,
    );
    const since = Math.min(
      asked.askedAt,
      exchanges[0]?.at ?? Number.POSITIVE_INFINITY,
      outage?.from ?? Number.POSITIVE_INFINITY,
    );
    return this.#count(exchanges, since);
  }

  /** The requests of handshakes while the call was open, and up to `timeMs` before. */
  #handshakes(timeMs: number): readonly Exchange[] {
    const { network, life, asked } = this.#options;
    return network
      .of(traceOf(life.planned.name))
      .filter(({ at }) => at >= asked.askedAt - timeMs && at <= this.#until);
  }

  get #until(): number {
    const { askedAt, milliseconds } = this.#options.asked;
    return askedAt + milliseconds;
  }

  #count(exchanges: readonly Exchange[], since: number): Failures {
    const spentMs = this.#until - since;
    // The server's own errors count too: it was busy if the proxy sent the call again.
    const failed = exchanges.filter((context) =>
      ['unknown', 'own'].includes(kindOfExchange(context) ?? ''),
    ).length;
    const unseen = this.#unseenFailures(since);
    const attempts = exchanges.length + unseen;
    const backoffMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.max(0, attempts - 1));
    return {
      failures: failed + unseen,
      pauseMs: Math.max(RETRY_AFTER_MS, backoffMs),
      spentMs,
    };
  }

  /**
   * The maximum number of attempts that can have failed without reaching the other end of the
   * network.
   */
  #unseenFailures(since: number): number {
    const { network, slowness } = this.#options;
    const from = since - NOTICED_AFTER_MS * slowness;
    return network.outages
      .map((outage) => overlapMs(outage, from, this.#until))
      .filter((milliseconds) => milliseconds >= 0)
      .reduce((sum, milliseconds) => sum + attemptsWithin(milliseconds), 0);
  }
}

/** Negative if they do not overlap. */
function overlapMs({ from, until = Number.POSITIVE_INFINITY }: Outage, since: number, to: number) {
  return Math.min(until, to) - Math.max(from, since);
}

/** Delays are at least half as long as their maximum, and each maximum is twice the one before. */
function attemptsWithin(milliseconds: number): number {
  return 1 + Math.floor(Math.log2(1 + milliseconds / (FIRST_PAUSE_MS / 2)));
}
