import type { RuntimeConfig } from '../config.ts';
import type { SignatureFault } from '../signatures/sigv4-verifier.ts';
import {
  type Answer,
  createMcpErrorResponse,
  createRestErrorResponse,
  createStatusResponse,
  type JsonRpcId,
  type PlatformError,
} from './platform-error.ts';

/**
 * Formats errors for a caller: JSON-RPC errors for MCP runtimes, HTTP statuses for everything else.
 */
export interface Dialect {
  /** The JSON-RPC id of the request; null if it has none. */
  readonly id: JsonRpcId;
  error(error: PlatformError): Answer;
  signature(fault: SignatureFault, message: string): Answer;
}

const SIGNATURE_TYPES: Readonly<Record<SignatureFault, string>> = {
  missing: 'MissingAuthenticationTokenException',
  incomplete: 'IncompleteSignatureException',
  'unknown-key': 'UnrecognizedClientException',
  'expired-token': 'ExpiredTokenException',
  invalid: 'InvalidSignatureException',
};

/** AWS REST-JSON errors: for HTTP runtimes and for every operation except an invocation. */
export const REST_DIALECT: Dialect = {
  id: null,
  error: createStatusResponse,
  signature: (fault, message) => createRestErrorResponse(403, SIGNATURE_TYPES[fault], message),
};

export function createInvocationDialect(
  config: Pick<RuntimeConfig, 'protocol' | 'switches'>,
  id: JsonRpcId,
): Dialect {
  const { mcpErrors, mcpSignatureErrors, throttleText } = config.switches;
  const isMcp = config.protocol === 'MCP';
  return {
    id,
    error: (error) => {
      const text = error.kind === 'throttled' && throttleText ? throttleText : error.message;
      if (!isMcp || mcpErrors === 'status')
        return createStatusResponse({ ...error, message: text });
      // MCP callers get the documented message unless a switch sets another text.
      return createMcpErrorResponse(error, id, error.kind === 'throttled' ? throttleText : '');
    },
    signature: (fault, message) => {
      if (!isMcp || mcpSignatureErrors === 'status') return REST_DIALECT.signature(fault, message);
      return createMcpErrorResponse({ kind: mcpSignatureErrors, message }, id);
    },
  };
}
