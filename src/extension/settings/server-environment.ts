import { createHash } from 'node:crypto';
import type { EntryAuthorization, EntryRole, RuntimeEntry } from './runtime-entry.ts';

/** Environment variables of the proxy for an entry, without secrets. `null` removes a variable. */
export type ServerEnvironment = Readonly<Record<string, string | null>>;

/**
 * Converts an entry to environment variables. Removes inherited variables for the same purpose,
 * because only the entry applies.
 */
export function createServerEnvironment(entry: RuntimeEntry): ServerEnvironment {
  const { role, authorization } = entry;
  return withoutUndefined({
    AGENT_ARN: null,
    AGENTCORE_SERVER_NAME: entry.name,
    AGENTCORE_AGENT_ARN: getTargetArn(entry) ?? null,
    AGENTCORE_QUALIFIER: entry.qualifier ?? null,
    RUNTIME_SESSION_MODE: entry.sessionMode,
    AWS_PROFILE: entry.profile,
    // The proxy warns if both variables are set to different profiles.
    AWS_DEFAULT_PROFILE: entry.profile === undefined ? undefined : null,
    ...createRoleVariables(role),
    ...createAuthorizationVariables(authorization),
    AGENTCORE_READ_TIMEOUT: toText(entry.readTimeout),
    AGENTCORE_CONNECT_TIMEOUT: toText(entry.connectTimeout),
    AGENTCORE_KEEP_ALIVE: toText(entry.keepAlive),
    AGENTCORE_RETRIES: toText(entry.retries),
    AGENTCORE_STOP_ON_EXIT: toText(entry.stopOnExit),
    AGENTCORE_POLICY: entry.policy,
    AWS_ENDPOINT_URL_BEDROCK_AGENTCORE: entry.endpointUrl,
  }) as ServerEnvironment;
}

/**
 * A version that changes with the configuration of the server. If only one version changes, VS Code
 * restarts only that server.
 */
export function getDefinitionVersion(
  extensionVersion: string,
  environment: ServerEnvironment,
): string {
  const text = JSON.stringify(Object.entries(environment).sort());
  return `${extensionVersion}+${createHash('sha256').update(text).digest('hex').slice(0, 12)}`;
}

/**
 * The ARN of the target, with the endpoint if it has one. `undefined` for a local AgentCore, whose
 * ARN is known only after its start.
 */
export function getTargetArn({ target }: Pick<RuntimeEntry, 'target'>): string | undefined {
  switch (target.kind) {
    case 'runtime':
      return target.runtime.endpoint
        ? `${target.runtime.arn}/runtime-endpoint/${target.runtime.endpoint}`
        : target.runtime.arn;
    case 'gateway':
      return target.gateway.arn;
    case 'local':
      return undefined;
  }
}

function createRoleVariables(role: EntryRole | undefined) {
  const prefix = 'AGENTCORE_ASSUME_ROLE';
  return {
    [`${prefix}_DURATION`]: null,
    [`${prefix}_ARN`]: role?.arns.join(',') ?? null,
    [`${prefix}_SESSION_NAME`]: role?.sessionName ?? null,
    [`${prefix}_EXTERNAL_ID`]: role?.externalId ?? null,
    [`${prefix}_MFA_SERIAL`]: role?.mfaSerial ?? null,
    [`${prefix}_SOURCE_IDENTITY`]: role?.sourceIdentity ?? null,
  };
}

/** Without the client secret. It is added when the server starts. */
function createAuthorizationVariables(authorization: EntryAuthorization) {
  switch (authorization.kind) {
    case 'iam':
      return {
        AGENTCORE_AUTH: null,
        AGENTCORE_OAUTH_CLIENT_ID: null,
        AGENTCORE_OAUTH_CLIENT_SECRET: null,
        AGENTCORE_TOKEN_COMMAND: null,
      };
    case 'none':
      return { AGENTCORE_AUTH: 'none' };
    case 'tokenCommand':
      return { AGENTCORE_AUTH: 'token-command', AGENTCORE_TOKEN_COMMAND: authorization.command };
    case 'oauth':
      return {
        AGENTCORE_AUTH: 'oauth',
        AGENTCORE_OAUTH_CLIENT_ID: authorization.clientId,
        AGENTCORE_OAUTH_TOKEN_URL: authorization.tokenUrl ?? null,
        AGENTCORE_OAUTH_SCOPES: authorization.scopes.join(' ') || null,
        AGENTCORE_OAUTH_AUDIENCE: authorization.audience ?? null,
        AGENTCORE_OAUTH_RESOURCE: null,
      };
  }
}

function toText(value: number | boolean | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}

/** Removes fields that are `undefined`. */
export function withoutUndefined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}
