import type { Environment } from '../../base/environment.ts';
import { AgentCoreError } from '../../base/errors.ts';
import { canReceiveSecret } from '../../http/secure-url.ts';

/** The authorization method of requests: IAM signature, bearer token or none. */
export type AuthorizationSettings =
  | { readonly method: 'iam' | 'none' }
  | { readonly method: 'token-command'; readonly command: string }
  | OAuthSettings;

/** An OAuth client with the client credentials grant (RFC 6749, 4.4). */
export interface OAuthSettings {
  readonly method: 'oauth';
  readonly clientId: string;
  readonly clientSecret: string;
  /** If absent, it is discovered from the MCP server's metadata. */
  readonly tokenUrl: URL | undefined;
  /** Separated by spaces, as in OAuth. */
  readonly scopes: string | undefined;
  /** Extra parameters for some authorization servers: `audience`, and `resource` of RFC 8707. */
  readonly audience: string | undefined;
  readonly resource: string | undefined;
}

const METHODS = ['iam', 'oauth', 'token-command', 'none'] as const;

const COMMAND = 'AGENTCORE_TOKEN_COMMAND';

const CLIENT_ID = 'AGENTCORE_OAUTH_CLIENT_ID';

const CLIENT_SECRET = 'AGENTCORE_OAUTH_CLIENT_SECRET';

const TOKEN_URL = 'AGENTCORE_OAUTH_TOKEN_URL';

/**
 * Reads `AGENTCORE_AUTH` and related variables. If `AGENTCORE_AUTH` is not set, a client ID selects
 * `oauth`, a command selects `token-command`, and otherwise `iam` applies.
 *
 * @throws {AgentCoreError} `usage`, with the variable's name in the message but never a secret.
 */
export function readAuthorization(env: Environment): AuthorizationSettings {
  const method = readMethod(env);
  if (method === 'oauth') return readOAuth(env);
  if (method !== 'token-command') return { method };
  const command = env[COMMAND]?.trim();
  if (command) return { method, command };
  throw new AgentCoreError(
    'usage',
    `AGENTCORE_AUTH is "token-command", but ${COMMAND} is not set: set it to a command that prints a token`,
  );
}

/** True if requests carry a bearer token. */
export function isBearer({ method }: { readonly method: string }): boolean {
  return method === 'oauth' || method === 'token-command';
}

function readMethod(env: Environment): (typeof METHODS)[number] {
  const text = env.AGENTCORE_AUTH?.trim().toLowerCase();
  const isOAuth = [CLIENT_ID, CLIENT_SECRET].some((name) => env[name]);
  if (!text) {
    if (isOAuth && env[COMMAND]) {
      throw new AgentCoreError(
        'usage',
        `${CLIENT_ID} and ${COMMAND} are both set: set AGENTCORE_AUTH to oauth or to token-command`,
      );
    }
    if (isOAuth) return 'oauth';
    return env[COMMAND] ? 'token-command' : 'iam';
  }
  const method = METHODS.find((known) => known === text);
  if (method) return method;
  throw new AgentCoreError(
    'usage',
    `AGENTCORE_AUTH is "${env.AGENTCORE_AUTH}", expected one of ${METHODS.join(', ')}`,
  );
}

function readOAuth(env: Environment): OAuthSettings {
  const clientId = env[CLIENT_ID];
  const clientSecret = env[CLIENT_SECRET];
  if (!clientId || !clientSecret) {
    const missing = clientId ? CLIENT_SECRET : CLIENT_ID;
    throw new AgentCoreError(
      'usage',
      `${missing} is not set: OAuth requires the id and the secret of a client with the grant "client_credentials"`,
    );
  }
  return {
    method: 'oauth',
    clientId,
    clientSecret,
    tokenUrl: readTokenUrl(env[TOKEN_URL]),
    scopes:
      env.AGENTCORE_OAUTH_SCOPES?.replaceAll(',', ' ').trim().replace(/\s+/g, ' ') || undefined,
    audience: env.AGENTCORE_OAUTH_AUDIENCE || undefined,
    resource: env.AGENTCORE_OAUTH_RESOURCE || undefined,
  };
}

function readTokenUrl(text: string | undefined): URL | undefined {
  if (!text) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && canReceiveSecret(url)) return url;
  throw new AgentCoreError(
    'usage',
    `${TOKEN_URL} is not an https URL without user information, such as https://HOST/oauth2/token`,
  );
}
