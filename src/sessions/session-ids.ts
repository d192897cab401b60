import { createHash, randomUUID } from 'node:crypto';

/**
 * How long a runtime session lives on our side: as long as the process, as long as the IAM identity
 * (the same on every machine), or for one request.
 */
export const SESSION_MODES = ['session', 'identity', 'request'] as const;

export type SessionMode = (typeof SESSION_MODES)[number];

/** A runtime session id that nobody else has: 50 characters of the 33 to 100 that AgentCore takes. */
export function createSessionId(): string {
  return `agentcore-mcp-${randomUUID()}`;
}

/** The runtime session id that an identity has with a runtime endpoint, 78 characters. */
export function deriveIdentitySessionId(identity: {
  /** The caller's ARN, from STS GetCallerIdentity. */
  readonly callerArn: string;
  readonly runtimeArn: string;
  readonly qualifier: string | undefined;
}): string {
  const { callerArn, runtimeArn, qualifier = '' } = identity;
  const digest = createHash('sha256').update([callerArn, runtimeArn, qualifier].join('\n'));
  return `agentcore-mcp-${digest.digest('hex')}`;
}
