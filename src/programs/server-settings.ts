import { parseRuntimeArn, type RuntimeArn } from '../aws/arn.ts';
import {
  type AuthorizationSettings,
  readAuthorization,
} from '../aws/authorization/authorization-settings.ts';
import {
  type GatewayAddress,
  isGatewayAddress,
  parseGatewayAddress,
} from '../aws/gateway-address.ts';
import type { Environment } from '../environment.ts';
import { AgentCoreError } from '../error.ts';
import type { SessionMode } from '../sessions/session-ids.ts';

/** The server to call. */
export type ServerSettings =
  | {
      readonly kind: 'runtime';
      readonly runtime: RuntimeArn;
      readonly qualifier: string | undefined;
    }
  | { readonly kind: 'gateway'; readonly gateway: GatewayAddress };

/**
 * Reads the server's address and the caller's authorization method.
 *
 * @throws {AgentCoreError} `usage`; the message names the variable.
 */
export function readServer(
  env: Environment,
  mode: SessionMode,
): { readonly server: ServerSettings; readonly authorization: AuthorizationSettings } {
  const address = env.AGENTCORE_AGENT_ARN || env.AGENT_ARN;
  if (!address) {
    throw new AgentCoreError(
      'usage',
      'AGENTCORE_AGENT_ARN is not set: set it to the ARN of the runtime or gateway to talk to',
    );
  }
  const authorization = readAuthorization(env);
  if (isGatewayAddress(address)) {
    const gateway = parseGatewayAddress(address);
    if (mode === 'identity') {
      throw new AgentCoreError(
        'usage',
        'RUNTIME_SESSION_MODE is "identity", but a gateway has no sessions to share: set it to session or request',
      );
    }
    return { server: { kind: 'gateway', gateway }, authorization };
  }
  const runtime = parseRuntimeArn(address);
  if (authorization.method === 'none') {
    throw new AgentCoreError(
      'usage',
      'AGENTCORE_AUTH is "none", but a runtime lets nobody in unasked: set it to iam, oauth or token-command',
    );
  }
  const qualifier = env.AGENTCORE_QUALIFIER || runtime.endpoint;
  return { server: { kind: 'runtime', runtime, qualifier }, authorization };
}
