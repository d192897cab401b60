/**
 * Error codes of JSON-RPC, of MCP, and of AgentCore's MCP runtimes (source: "MCP protocol contract"
 * of the AgentCore developer guide). A code alone does not identify an AgentCore error: the MCP
 * server may use the same numbers.
 */
export const ErrorCode = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  /** Free for implementations in JSON-RPC. The proxy uses it if a connection failed. */
  connectionFailed: -32000,
  unauthorized: -32001,
  accessDenied: -32002,
  throttled: -32003,
  notFound: -32004,
  conflict: -32005,
  validation: -32006,
  containerFailed: -32010,
  notAcceptable: -32011,
  /** MCP 2026-07-28: a header contradicts the body. */
  headerMismatch: -32020,
} as const;
