/**
 * JSON-RPC's codes, MCP's, and those with which AgentCore's MCP runtimes wrap the platform's own
 * errors (source: "MCP protocol contract" of the AgentCore developer guide). A code alone proves
 * nothing: the server behind may use the same numbers.
 */
export const ErrorCode = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  /** What JSON-RPC leaves to implementations; ours for a connection that failed. */
  connectionFailed: -32000,
  unauthorized: -32001,
  accessDenied: -32002,
  throttled: -32003,
  notFound: -32004,
  conflict: -32005,
  validation: -32006,
  containerFailed: -32010,
  notAcceptable: -32011,
  /** MCP 2026-07-28: a header says something else than the body. */
  headerMismatch: -32020,
} as const;
