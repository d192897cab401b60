import { ErrorCode } from './message.ts';

/** Classification of an error from AgentCore. */
interface PlatformError {
  /** `refused`: the call never reached the server. `unknown`: it may have reached it. */
  readonly outcome: 'refused' | 'unknown';
  /** True if the same call may succeed after a short wait. */
  readonly isTransient: boolean;
}

/**
 * AgentCore's own errors by code and documented text. The code is not enough: an MCP server may use
 * the same codes after it did its work. Source: "MCP protocol contract" of the AgentCore developer
 * guide, and the exceptions of InvokeAgentRuntime.
 */
const TABLE: readonly (PlatformError & { readonly code: number; readonly text: RegExp })[] = [
  {
    code: ErrorCode.unauthorized,
    text: /^Authentication error - Invalid credentials$/,
    outcome: 'refused',
    isTransient: false,
  },
  {
    code: ErrorCode.accessDenied,
    text: /^Authorization error - Insufficient permissions$/,
    outcome: 'refused',
    isTransient: false,
  },
  {
    code: ErrorCode.throttled,
    text: /^Rate limit exceeded - Too many requests$/,
    outcome: 'refused',
    isTransient: true,
  },
  {
    code: ErrorCode.notFound,
    text: /^Resource not found - Requested resource does not exist$/,
    outcome: 'refused',
    isTransient: false,
  },
  {
    code: ErrorCode.conflict,
    text: /^Session operation in progress, please retry$/,
    outcome: 'refused',
    isTransient: true,
  },
  {
    code: ErrorCode.conflict,
    text: /^Resource conflict - Resource already exists$/,
    outcome: 'refused',
    isTransient: false,
  },
  {
    code: ErrorCode.validation,
    text: /^Validation error - Invalid request data$/,
    outcome: 'refused',
    isTransient: false,
  },
  {
    code: ErrorCode.containerFailed,
    text: /^Runtime initialization time exceeded/,
    outcome: 'refused',
    isTransient: true,
  },
  {
    code: ErrorCode.containerFailed,
    text: /^Tool execution error - Please check your CloudWatch logs/,
    outcome: 'unknown',
    isTransient: true,
  },
  {
    code: ErrorCode.notAcceptable,
    text: /^Accept Header Error - /,
    outcome: 'refused',
    isTransient: false,
  },
  {
    code: ErrorCode.internalError,
    text: /^Internal error - Server error$/,
    outcome: 'unknown',
    isTransient: true,
  },
  {
    code: ErrorCode.internalError,
    text: /^An internal error occurred while processing the request/,
    outcome: 'unknown',
    isTransient: true,
  },
];

/** Classifies an error of AgentCore; `undefined` for an error of the MCP server. */
export function findPlatformError(error: {
  readonly code?: unknown;
  readonly message?: unknown;
}): PlatformError | undefined {
  const { code, message } = error;
  if (typeof message !== 'string') return undefined;
  return TABLE.find((entry) => entry.code === code && entry.text.test(message));
}
