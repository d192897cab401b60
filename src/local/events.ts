import { AgentCoreError } from '../error.ts';
import type { TokenRefusalReason } from './authorization/bearer-verifier.ts';
import type { RequestRecord } from './request-log.ts';
import type { SessionRecord } from './sessions/session-record.ts';
import type { RefusalReason } from './signatures/sigv4-verifier.ts';

/** `invoked` and `answered` come with each invocation, the others with its microVM. */
export type SessionChange =
  | 'starting'
  | 'started'
  | 'revived'
  | 'restarted'
  | 'invoked'
  | 'answered'
  /** Past its idle timeout, for its agent says HealthyBusy. */
  | 'kept-busy'
  | 'stopped';

export type LocalEvent =
  | {
      readonly type: 'session';
      readonly change: SessionChange;
      readonly session: SessionRecord;
    }
  | {
      readonly type: 'container-started';
      readonly runtime: string;
      readonly pid: number | undefined;
      readonly port: number;
    }
  | {
      readonly type: 'container-failed';
      readonly runtime: string;
      readonly pid: number | undefined;
      readonly reason: string;
      /** Its last lines. */
      readonly output: string;
    }
  | {
      readonly type: 'container-exited';
      readonly runtime: string;
      readonly pid: number | undefined;
      readonly code: number | null;
      readonly signal: string | null;
      /** Nobody here ended it. */
      readonly byItself: boolean;
    }
  /** One of those that wait for a new session is ready. */
  | {
      readonly type: 'container-warm';
      readonly runtime: string;
      readonly pid: number | undefined;
      readonly port: number;
    }
  | {
      readonly type: 'container-output';
      readonly runtime: string;
      readonly pid: number | undefined;
      readonly line: string;
    }
  /** A request has met an injected fault. */
  | { readonly type: 'fault'; readonly request: RequestRecord }
  /** A request was refused, for its signature is not as it should be. */
  | {
      readonly type: 'signature-refused';
      readonly why: RefusalReason;
      /** The sentence for people. */
      readonly reason: string;
      readonly request: RequestRecord;
    }
  /** A request was refused, for its bearer token is not as it should be. */
  | {
      readonly type: 'token-refused';
      readonly why: TokenRefusalReason;
      /** The sentence for people. */
      readonly reason: string;
      readonly request: RequestRecord;
    }
  /** Who signed a request is known, and may not do what it asks for. */
  | {
      readonly type: 'access-denied';
      /** The sentence for people, with what the caller is not told. */
      readonly reason: string;
      readonly request: RequestRecord;
    }
  /** A request has been answered, or its connection is gone. */
  | { readonly type: 'request'; readonly request: RequestRecord };

export type LocalListener = (event: LocalEvent) => void;

/** What happens in a local runtime, for its program's log and for tests that wait. */
export class LocalEvents {
  readonly #listeners = new Set<LocalListener>();

  /** Returns what takes the listener out again. */
  on(listener: LocalListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** The event is made only where somebody listens: two of them happen at each request. */
  emit(make: () => LocalEvent): void {
    if (this.#listeners.size === 0) return;
    const event = make();
    for (const listener of [...this.#listeners]) listener(event);
  }

  /**
   * Resolves as soon as `holds` is true: now, or after one of the next events.
   *
   * @throws {AgentCoreError} `timeout`
   */
  until(holds: () => boolean, what: string, timeoutMs: number): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const stop = this.on(() => {
        if (!holds()) return;
        clearTimeout(timer);
        stop();
        resolve();
      });
      const timer = setTimeout(() => {
        stop();
        reject(new AgentCoreError('timeout', `Not within ${timeoutMs} ms: ${what}`));
      }, timeoutMs);
    });
  }
}
