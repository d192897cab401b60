/** Error code for programs. The message is for people. */
export type ErrorCode =
  /** Invalid command line or environment. Programs exit with 2. */
  | 'usage'
  /** A configuration file is unreadable or invalid. */
  | 'config'
  /** Credentials are missing, or could not be resolved or refreshed. */
  | 'credentials'
  /** The other side was unreachable, or the connection broke. */
  | 'connection'
  /** The other side did not respond in time. */
  | 'timeout'
  /** The other side violated its protocol. */
  | 'protocol'
  /** The other side rejected the request or failed; the message contains its reason. */
  | 'upstream'
  /** The program is ending and stopped waiting. */
  | 'shutdown';

interface ErrorDetails {
  readonly cause?: unknown;
  /** Facts for programs (statuses, request ids, …). Never a secret. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/**
 * The only error class of this project, with a code, a message with the next step, and the cause.
 */
export class AgentCoreError extends Error {
  override readonly name = 'AgentCoreError';

  /** Compare by name: the extension and its lazily loaded bundle each contain this class. */
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

/** The message of any thrown value. */
export function getErrorMessage(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'there is no such file or folder',
  EISDIR: 'it is a folder, not a file',
  EACCES: 'you do not have permission',
  EPERM: 'you do not have permission',
};

/** The reason of a file error, to follow the path and a colon. */
export function describeFileError(thrown: unknown): string {
  const { code } = (thrown ?? {}) as NodeJS.ErrnoException;
  return REASONS[code ?? ''] ?? getErrorMessage(thrown);
}
