export type StopReason =
  | 'stop-runtime-session'
  | 'idle-timeout'
  | 'max-lifetime'
  | 'container-exited'
  | 'microvm-killed'
  | 'start-failed'
  | 'shutdown';

/** What a local runtime knows of a runtime session, which AgentCore's own API tells nobody. */
export interface SessionRecord {
  readonly runtime: string;
  readonly qualifier: string;
  readonly runtimeSessionId: string;
  /** The one issued last; `undefined` for HTTP runtimes, and before a stateful server issues one. */
  readonly mcpSessionId: string | undefined;
  readonly state: 'Active' | 'Idle' | 'Stopped';
  /** Why it is stopped. */
  readonly why: StopReason | undefined;
  /** Its process, also of a stopped session for as long as the process is there. */
  readonly pid: number | undefined;
  readonly port: number | undefined;
  /** When its present or last microVM started, in milliseconds since the epoch. */
  readonly startedAt: number | undefined;
  readonly lastInvokedAt: number;
  readonly invocations: number;
  readonly inFlight: number;
  /** Containers that it has had: 1 until it is revived or restarted. */
  readonly incarnations: number;
}
