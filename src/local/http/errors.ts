import type { PlatformErrorKind } from '../config/faults.ts';

// Error responses of the platform, for HTTP and MCP runtimes.

export interface PlatformError {
  readonly kind: PlatformErrorKind;
  /**
   * The message for callers of HTTP runtimes. Callers of MCP runtimes get the documented message of
   * the kind.
   */
  readonly message: string;
}

/** A complete HTTP response of the platform. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

interface Shape {
  readonly type: string;
  readonly status: number;
  readonly code: number;
  /** HTTP status of the JSON-RPC error. */
  readonly mcpStatus: number;
  readonly mcpMessage: string;
}

/**
 * Types, statuses, codes and messages. Sources: the MCP protocol contract in the developer guide,
 * and the service model of the SDK.
 */
const SHAPES: Readonly<Record<PlatformErrorKind, Shape>> = {
  unauthorized: {
    type: 'UnauthorizedException',
    status: 401,
    code: -32001,
    mcpStatus: 401,
    mcpMessage: 'Authentication error - Invalid credentials',
  },
  'access-denied': {
    type: 'AccessDeniedException',
    status: 403,
    code: -32002,
    mcpStatus: 403,
    mcpMessage: 'Authorization error - Insufficient permissions',
  },
  throttled: {
    type: 'ThrottlingException',
    status: 429,
    code: -32003,
    mcpStatus: 200,
    mcpMessage: 'Rate limit exceeded - Too many requests',
  },
  'quota-exceeded': {
    type: 'ServiceQuotaExceededException',
    status: 402,
    code: -32003,
    mcpStatus: 200,
    mcpMessage: 'Rate limit exceeded - Too many requests',
  },
  'not-found': {
    type: 'ResourceNotFoundException',
    status: 404,
    code: -32004,
    mcpStatus: 200,
    mcpMessage: 'Resource not found - Requested resource does not exist',
  },
  conflict: {
    type: 'ConflictException',
    status: 409,
    code: -32005,
    mcpStatus: 200,
    mcpMessage: 'Resource conflict - Resource already exists',
  },
  'retryable-conflict': {
    type: 'RetryableConflictException',
    status: 409,
    code: -32005,
    mcpStatus: 200,
    mcpMessage: 'Session operation in progress, please retry',
  },
  validation: {
    type: 'ValidationException',
    status: 400,
    code: -32006,
    mcpStatus: 200,
    mcpMessage: 'Validation error - Invalid request data',
  },
  'container-failed': {
    type: 'RuntimeClientError',
    status: 424,
    code: -32010,
    mcpStatus: 200,
    mcpMessage: 'Tool execution error - Please check your CloudWatch logs for more information',
  },
  'not-acceptable': {
    type: 'McpRequestUnacceptableException',
    status: 406,
    code: -32011,
    mcpStatus: 406,
    mcpMessage:
      'Accept Header Error - MCP protocol requires Accept header: application/json, text/event-stream',
  },
  internal: {
    type: 'InternalServerException',
    status: 500,
    code: -32603,
    mcpStatus: 200,
    mcpMessage: 'Internal error - Server error',
  },
};

export type JsonRpcId = string | number | null;

/** Creates the response for callers of HTTP runtimes. */
export function createStatusResponse(error: PlatformError): Answer {
  const shape = SHAPES[error.kind];
  return createRestErrorResponse(shape.status, shape.type, error.message || shape.mcpMessage);
}

/**
 * Creates the response for callers of MCP runtimes. If `message` is set, it replaces the documented
 * one.
 */
export function createMcpErrorResponse(
  error: PlatformError,
  id: JsonRpcId,
  message?: string,
): Answer {
  const shape = SHAPES[error.kind];
  return createJsonRpcErrorResponse(shape.mcpStatus, id, {
    code: shape.code,
    message: message || shape.mcpMessage,
  });
}

/** Creates an error of the AWS REST-JSON protocol. */
export function createRestErrorResponse(status: number, type: string, message: string): Answer {
  return {
    status,
    headers: { 'Content-Type': 'application/json', 'x-amzn-ErrorType': type },
    body: JSON.stringify({ message }),
  };
}

export function createJsonRpcErrorResponse(
  status: number,
  id: JsonRpcId,
  error: { readonly code: number; readonly message: string; readonly data?: unknown },
): Answer {
  return {
    status,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id, error }),
  };
}
