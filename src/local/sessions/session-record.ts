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
  /** The last id issued; `undefined` for HTTP runtimes, and before a stateful server issues one. */
  readonly mcpSessionId: string | undefined;
  readonly state: 'Active' | 'Idle' | 'Stopped';
  /** The reason for the stop. */
  readonly why: StopReason | undefined;
  /** The process id, also of a stopped session while its process still exists. */
  readonly pid: number | undefined;
  readonly port: number | undefined;
  /** Start of the current or last microVM, in milliseconds since the epoch. */
  readonly startedAt: number | undefined;
  readonly lastInvokedAt: number;
  readonly invocations: number;
  readonly inFlight: number;
  /** Number of containers so far: 1 until the session is revived or restarted. */
  readonly incarnations: number;
}
