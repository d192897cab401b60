import type { RuntimeConfig } from '../config.ts';
import type { SignatureFault } from '../signatures/sigv4-verifier.ts';
import {
  type Answer,
  type JsonRpcId,
  mcpAnswer,
  type PlatformError,
  restAnswer,
  statusAnswer,
} from './platform-error.ts';

/** How errors are told to a caller: an MCP runtime's reads JSON-RPC, all others read statuses. */
export interface Dialect {
  /** The JSON-RPC id of the request; null where it has none. */
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

/** AWS's REST-JSON errors: of HTTP runtimes, and of every operation but an invocation. */
export const REST_DIALECT: Dialect = {
  id: null,
  error: statusAnswer,
  signature: (fault, message) => restAnswer(403, SIGNATURE_TYPES[fault], message),
};

/** The dialect in which the invocation of a runtime is answered. */
export function invocationDialect(
  config: Pick<RuntimeConfig, 'protocol' | 'switches'>,
  id: JsonRpcId,
): Dialect {
  const { mcpErrors, mcpSignatureErrors, throttleText } = config.switches;
  const isMcp = config.protocol === 'MCP';
  return {
    id,
    error: (error) => {
      const text = error.kind === 'throttled' && throttleText ? throttleText : error.message;
      if (!isMcp || mcpErrors === 'status') return statusAnswer({ ...error, message: text });
      // The documented sentence replaces what the platform knows, save where a switch gives one.
      return mcpAnswer(error, id, error.kind === 'throttled' ? throttleText : '');
    },
    signature: (fault, message) => {
      if (!isMcp || mcpSignatureErrors === 'status') return REST_DIALECT.signature(fault, message);
      return mcpAnswer({ kind: mcpSignatureErrors, message }, id);
    },
  };
}
