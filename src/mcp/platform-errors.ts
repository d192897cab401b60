import { ErrorCode } from './errors.ts';

/** What is known of a call that the platform answered with an error of its own. */
export interface PlatformError {
  /** `refused` never reached the server; of the others nobody can tell. */
  readonly outcome: 'refused' | 'unknown';
  /** True where the same call may succeed a little later. */
  readonly passes: boolean;
}

/**
 * The errors that AgentCore puts in place of the server's answer, by their code and documented text:
 * an MCP server may use the same codes, after it did its work (source: "MCP protocol contract" of
 * the AgentCore developer guide, and the exceptions of InvokeAgentRuntime).
 */
const TABLE: readonly (PlatformError & { readonly code: number; readonly text: RegExp })[] = [
  {
    code: ErrorCode.unauthorized,
    text: /^Authentication error - Invalid credentials$/,
    outcome: 'refused',
    passes: false,
  },
  {
    code: ErrorCode.accessDenied,
    text: /^Authorization error - Insufficient permissions$/,
    outcome: 'refused',
    passes: false,
  },
  {
    code: ErrorCode.throttled,
    text: /^Rate limit exceeded - Too many requests$/,
    outcome: 'refused',
    passes: true,
  },
  {
    code: ErrorCode.notFound,
    text: /^Resource not found - Requested resource does not exist$/,
    outcome: 'refused',
    passes: false,
  },
  {
    code: ErrorCode.conflict,
    text: /^Session operation in progress, please retry$/,
    outcome: 'refused',
    passes: true,
  },
  {
    code: ErrorCode.conflict,
    text: /^Resource conflict - Resource already exists$/,
    outcome: 'refused',
    passes: false,
  },
  {
    code: ErrorCode.validation,
    text: /^Validation error - Invalid request data$/,
    outcome: 'refused',
    passes: false,
  },
  {
    code: ErrorCode.containerFailed,
    text: /^Runtime initialization time exceeded/,
    outcome: 'refused',
    passes: true,
  },
  {
    code: ErrorCode.containerFailed,
    text: /^Tool execution error - Please check your CloudWatch logs/,
    outcome: 'unknown',
    passes: true,
  },
  {
    code: ErrorCode.notAcceptable,
    text: /^Accept Header Error - /,
    outcome: 'refused',
    passes: false,
  },
  {
    code: ErrorCode.internalError,
    text: /^Internal error - Server error$/,
    outcome: 'unknown',
    passes: true,
  },
  {
    code: ErrorCode.internalError,
    text: /^An internal error occurred while processing the request/,
    outcome: 'unknown',
    passes: true,
  },
];

/** What an error says if it is the platform's; `undefined` for one of the server's own. */
export function platformError(error: {
  readonly code?: unknown;
  readonly message?: unknown;
}): PlatformError | undefined {
  const { code, message } = error;
  if (typeof message !== 'string') return undefined;
  return TABLE.find((entry) => entry.code === code && entry.text.test(message));
}
