import type { StopReason } from './session-record.ts';

/** One microVM that served a session: a session that is revived has had several. */
export interface MicroVmRecord {
  readonly runtime: string;
  readonly qualifier: string;
  readonly runtimeSessionId: string;
  /** The one issued last while it lived; `undefined` for HTTP runtimes, and where none was issued. */
  mcpSessionId: string | undefined;
  /** When it was ready, or failed to get ready, in milliseconds since the epoch. */
  readonly startedAt: number;
  /** `undefined` while it lives. Its process may take a moment longer, or outlive it. */
  endedAt: number | undefined;
  why: StopReason | undefined;
}
