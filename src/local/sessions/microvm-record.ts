import type { StopReason } from './session-record.ts';

/** One microVM of a session. A revived session has several. */
export interface MicroVmRecord {
  readonly runtime: string;
  readonly qualifier: string;
  readonly runtimeSessionId: string;
  /**
   * The last id issued during its lifetime; `undefined` for HTTP runtimes, or if none was issued.
   */
  mcpSessionId: string | undefined;
  /** When it became ready or failed to start, in milliseconds since the epoch. */
  readonly startedAt: number;
  /** `undefined` while it runs. Its process may end later. */
  endedAt: number | undefined;
  why: StopReason | undefined;
}
