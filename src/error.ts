/** What went wrong, as a name that programs can compare; the sentence for people is the message. */
export type ErrorCode =
  /** The command line or the environment asks for something that cannot be. Programs exit with 2. */
  | 'usage'
  /** A configuration file is unreadable or says something that cannot be. */
  | 'config'
  /** No credentials, or credentials that could not be resolved or refreshed. */
  | 'credentials'
  /** The other side could not be reached, or the connection broke. */
  | 'connection'
  /** The other side stayed silent for longer than allowed. */
  | 'timeout'
  /** The other side answered with something that is not what its protocol says. */
  | 'protocol'
  /** The other side refused or failed, in its own words. */
  | 'upstream'
  /** This program is ending and does not wait any longer. */
  | 'shutdown';

export interface ErrorDetails {
  readonly cause?: unknown;
  /** Facts for programs (statuses, request ids, …). Never a secret. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/** The one error of this project: a code, a sentence that says what to do, and what caused it. */
export class AgentCoreError extends Error {
  override readonly name = 'AgentCoreError';

  /** By its name, because VS Code runs two bundles that have this class: the extension and what it loads late. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof Error && value.name === 'AgentCoreError';
  }

  readonly code: ErrorCode;
  readonly data: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.code = code;
    this.data = details.data;
  }
}

/** The sentence of whatever was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
