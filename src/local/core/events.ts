import { AgentCoreError } from '../../base/errors.ts';
import type { RequestRecord } from './history.ts';

// Events of a local runtime, and the records in them.

/** The reason for a refused bearer token, for the log only. The response does not contain it. */
export type TokenRefusalReason =
  | 'no-token'
  | 'not-a-jwt'
  | 'token-signature'
  | 'token-expired'
  | 'token-not-yet-valid'
  | 'token-issuer'
  | 'token-claims'
  | 'token-revoked'
  | 'discovery';

/** One microVM of a session. A session that was revived has several. */
export interface MicroVmRecord {
  readonly runtime: string;
  readonly qualifier: string;
  readonly runtimeSessionId: string;
  /** The last id issued while it ran. `undefined` for HTTP runtimes, or if none was issued. */
  mcpSessionId: string | undefined;
  /** When it became ready or failed to start, in milliseconds since the epoch. */
  readonly startedAt: number;
  /** `undefined` while it runs. Its process may exit later. */
  endedAt: number | undefined;
  why: StopReason | undefined;
}

export type StopReason =
  | 'stop-runtime-session'
  | 'idle-timeout'
  | 'max-lifetime'
  | 'container-exited'
  | 'microvm-killed'
  | 'start-failed'
  | 'shutdown';

/** The state of a runtime session. AgentCore's own API does not expose it. */
export interface SessionRecord {
  readonly runtime: string;
  readonly qualifier: string;
  readonly runtimeSessionId: string;
  /** The last id issued. `undefined` for HTTP runtimes, and until a stateful server issues one. */
  readonly mcpSessionId: string | undefined;
  readonly state: 'Active' | 'Idle' | 'Stopped';
  /** The reason for the stop. */
  readonly why: StopReason | undefined;
  /** The process id. Also present for a stopped session, while its process still runs. */
  readonly pid: number | undefined;
  readonly port: number | undefined;
  /** Start of the current or last microVM, in milliseconds since the epoch. */
  readonly startedAt: number | undefined;
  readonly lastInvokedAt: number;
  readonly invocations: number;
  readonly inFlight: number;
  /**
   * Number of containers so far. It increases when the session is revived or its container is
   * restarted.
   */
  readonly incarnations: number;
}

export type SignatureFault =
  /** No Authorization header, or one with another scheme. */
  | 'missing'
  /** The header or the date is incomplete. */
  | 'incomplete'
  | 'unknown-key'
  | 'expired-token'
  /** The signature is wrong, has another region or service, or is outside the allowed time. */
  | 'invalid';

/** The exact reason for the log. For the caller, AWS does not distinguish some of these. */
export type RefusalReason =
  | 'unsigned'
  | 'incomplete'
  | 'unknown-key'
  | 'session-token'
  | 'scope'
  | 'skew'
  | 'mismatch'
  | 'expired-token';

/**
 * A change of a session. `invoked` and `answered` belong to an invocation, the others to the
 * microVM.
 */
export type SessionChange =
  | 'starting'
  | 'started'
  | 'revived'
  | 'restarted'
  | 'invoked'
  | 'answered'
  /** The idle timeout passed, but the microVM continues because the agent reports HealthyBusy. */
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
      /** True if the local runtime did not stop the container. */
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
      /** The reason as a sentence. */
      readonly reason: string;
      readonly request: RequestRecord;
    }
  /** A request was refused because of its bearer token. */
  | {
      readonly type: 'token-refused';
      readonly why: TokenRefusalReason;
      /** The reason as a sentence. */
      readonly reason: string;
      readonly request: RequestRecord;
    }
  /** The request was authenticated, but the caller lacks the permission. */
  | {
      readonly type: 'access-denied';
      /** The reason as a sentence, with details that the response omits. */
      readonly reason: string;
      readonly request: RequestRecord;
    }
  /** A request whose response is complete or whose connection is closed. */
  | { readonly type: 'request'; readonly request: RequestRecord };

export type LocalListener = (event: LocalEvent) => void;

/** Sends the events of a local runtime to listeners: the log of the program, and tests. */
export class LocalEvents {
  readonly #listeners = new Set<LocalListener>();

  /** Returns a function that removes the listener. */
  on(listener: LocalListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /**
   * Creates and sends an event. `make` is called only if there are listeners, because each request
   * has several events.
   */
  emit(make: () => LocalEvent): void {
    if (this.#listeners.size === 0) return;
    const event = make();
    for (const listener of [...this.#listeners]) listener(event);
  }

  /**
   * Resolves when `holds` returns true: immediately, or after a later event.
   *
   * @param what Describes the condition, for the error.
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
