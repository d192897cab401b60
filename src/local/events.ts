import { AgentCoreError } from '../base/errors.ts';
import type { TokenRefusalReason } from './authorization/bearer-verifier.ts';
import type { RequestRecord } from './request-log.ts';
import type { SessionRecord } from './sessions/session-record.ts';
import type { RefusalReason } from './signatures/sigv4-verifier.ts';

/** `invoked` and `answered` belong to an invocation, the others to the microVM. */
export type SessionChange =
  | 'starting'
  | 'started'
  | 'revived'
  | 'restarted'
  | 'invoked'
  | 'answered'
  /** Kept after the idle timeout, because the agent reports HealthyBusy. */
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
      /** The last lines of output. */
      readonly output: string;
    }
  | {
      readonly type: 'container-exited';
      readonly runtime: string;
      readonly pid: number | undefined;
      readonly code: number | null;
      readonly signal: string | null;
      /** True if the local runtime did not end it. */
      readonly byItself: boolean;
    }
  /** A warm container is ready for a new session. */
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
  /** A request met an injected fault. */
  | { readonly type: 'fault'; readonly request: RequestRecord }
  /** A request was refused because of its signature. */
  | {
      readonly type: 'signature-refused';
      readonly why: RefusalReason;
      /** A sentence for people. */
      readonly reason: string;
      readonly request: RequestRecord;
    }
  /** A request was refused because of its bearer token. */
  | {
      readonly type: 'token-refused';
      readonly why: TokenRefusalReason;
      /** A sentence for people. */
      readonly reason: string;
      readonly request: RequestRecord;
    }
  /** The request was authenticated, but the caller lacks the permission. */
  | {
      readonly type: 'access-denied';
      /** A sentence for people, with details that the caller does not get. */
      readonly reason: string;
      readonly request: RequestRecord;
    }
  /** The response has ended, or the connection is closed. */
  | { readonly type: 'request'; readonly request: RequestRecord };

export type LocalListener = (event: LocalEvent) => void;

/** Events of a local runtime, for the program's log and for tests. */
export class LocalEvents {
  readonly #listeners = new Set<LocalListener>();

  /** Returns a function that removes the listener. */
  on(listener: LocalListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Creates the event only if there are listeners, because every request emits two or more. */
  emit(make: () => LocalEvent): void {
    if (this.#listeners.size === 0) return;
    const event = make();
    for (const listener of [...this.#listeners]) listener(event);
  }

  /**
   * Resolves when `holds` returns true: immediately, or after a later event.
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
