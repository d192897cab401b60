import type * as OAuth from 'oauth4webapi';
import type { AuthorizationServer } from 'oauth4webapi';
import { AgentCoreError } from '../../base/errors.ts';
import { fetchViaNetwork } from '../../http/fetch.ts';
import type { Network } from '../../http/network.ts';
import { isSecureUrl } from '../../http/secure-url.ts';
import { createCredentialsError, getErrorText } from '../credentials/errors.ts';
import { parseBearerToken, type Token } from './bearer-token.ts';
import type { OAuthSettings } from './settings.ts';
import { probeAuthMethod } from './www-authenticate.ts';

interface OAuthTokenOptions {
  readonly settings: OAuthSettings;
  /**
   * The MCP server that receives the token. Its metadata gives the token issuer if the settings do
   * not.
   */
  readonly resource: URL;
  readonly network: Network;
}

/** The token endpoint and the client authentication method. */
interface Issuer {
  readonly server: OAuth.AuthorizationServer;
  /** Scopes requested by the resource. */
  readonly scope: string | undefined;
  /** Scopes supported by the resource, for error messages. */
  readonly knownScopes: readonly string[];
  sendsSecretBy: 'basic' | 'post';
}

/** Gets tokens with OAuth's client credentials grant (RFC 6749, 4.4). */
export class OAuthTokens {
  readonly #options: OAuthTokenOptions;
  /** Discovered once, and again after a failure, because the issuer may have changed. */
  #issuer: Promise<Issuer> | undefined;

  constructor(options: OAuthTokenOptions) {
    this.#options = options;
  }

  /**
   * Requests a token.
   *
   * @throws {AgentCoreError} `credentials`. The message contains neither the secret nor token data.
   */
  async get(signal: AbortSignal): Promise<Token> {
    const oauth = await import('oauth4webapi');
    this.#issuer ??= this.#findIssuer(oauth, signal);
    try {
      return await this.#ask(oauth, await this.#issuer, signal);
    } catch (thrown) {
      this.#issuer = undefined;
      throw thrown;
    }
  }

  async #findIssuer(oauth: typeof OAuth, signal: AbortSignal): Promise<Issuer> {
    const { settings, resource, network } = this.#options;
    const { tokenUrl } = settings;
    if (tokenUrl) {
      const server = { issuer: tokenUrl.origin, token_endpoint: tokenUrl.href };
      return { server, scope: undefined, knownScopes: [], sendsSecretBy: 'basic' };
    }
    const { server, scope, knownScopes } = await findTokenServer({
      resource,
      network,
      signal,
      discover: (issuer, algorithm) =>
        oauth
          .discoveryRequest(issuer, { algorithm, ...this.#ways(oauth, issuer, signal) })
          .then((response) => oauth.processDiscoveryResponse(issuer, response)),
    });
    const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
    const sendsSecretBy = methods.includes('client_secret_basic') ? 'basic' : 'post';
    return { server, scope, knownScopes, sendsSecretBy };
  }

  async #ask(oauth: typeof OAuth, issuer: Issuer, signal: AbortSignal): Promise<Token> {
    try {
      return await this.#askBy(issuer.sendsSecretBy, oauth, issuer, signal);
    } catch (thrown) {
      // The server's authentication method is unknown. RFC 6749 requires Basic, but some servers
      // accept only POST.
      const isGuess = issuer.server.token_endpoint_auth_methods_supported === undefined;
      if (!isGuess || issuer.sendsSecretBy === 'post' || !isRefusedClient(thrown)) throw thrown;
      const token = await this.#askBy('post', oauth, issuer, signal);
      issuer.sendsSecretBy = 'post';
      return token;
    }
  }

  async #askBy(
    way: 'basic' | 'post',
    oauth: typeof OAuth,
    { server, scope, knownScopes }: Issuer,
    signal: AbortSignal,
  ): Promise<Token> {
    const { clientId, clientSecret, scopes = scope, audience, resource } = this.#options.settings;
    const client = { client_id: clientId };
    const endpoint = readTokenEndpoint(server);
    const authenticate = way === 'basic' ? oauth.ClientSecretBasic : oauth.ClientSecretPost;
    const parameters = {
      ...(scopes !== undefined && { scope: scopes }),
      ...(audience !== undefined && { audience }),
      ...(resource !== undefined && { resource }),
    };
    try {
      const response = await oauth.clientCredentialsGrantRequest(
        server,
        client,
        authenticate(clientSecret),
        parameters,
        this.#ways(oauth, endpoint, signal),
      );
      const { status } = response;
      if (status >= 300) throw await createTokenError(response, endpoint, knownScopes);
      const answer = await oauth.processClientCredentialsResponse(server, client, response);
      const end =
        answer.expires_in === undefined ? undefined : Date.now() + answer.expires_in * 1000;
      return parseBearerToken(
        answer.access_token,
        end,
        `The OAuth server at ${endpoint.host} issued`,
      );
    } catch (thrown) {
      if (thrown instanceof AgentCoreError) throw thrown;
      throw createCredentialsError(
        `Could not get a bearer token from the OAuth server at ${endpoint.host}: check the network, and AGENTCORE_OAUTH_TOKEN_URL if it is set (${getErrorText(thrown)})`,
      );
    }
  }

  #ways(oauth: typeof OAuth, url: URL, signal: AbortSignal) {
    const { network } = this.#options;
    return {
      signal,
      [oauth.allowInsecureRequests]: url.protocol === 'http:' && isSecureUrl(url),
      [oauth.customFetch]: (
        to: string,
        options: OAuth.CustomFetchOptions<string, URLSearchParams | undefined>,
      ) =>
        fetchViaNetwork(network, new URL(to), {
          method: options.method,
          headers: options.headers,
          body: options.body?.toString(),
          signal,
        }),
    };
  }
}

function readTokenEndpoint({ token_endpoint: text, issuer }: OAuth.AuthorizationServer): URL {
  const url = text !== undefined && URL.canParse(text) ? new URL(text) : undefined;
  if (url && isSecureUrl(url)) return url;
  throw createCredentialsError(
    `The OAuth server ${issuer} has no token endpoint with an https URL: set AGENTCORE_OAUTH_TOKEN_URL`,
  );
}

const ADVICE: Readonly<Record<string, string>> = {
  invalid_client: 'check AGENTCORE_OAUTH_CLIENT_ID and AGENTCORE_OAUTH_CLIENT_SECRET',
  unauthorized_client: 'allow the grant "client_credentials" for this client',
  unsupported_grant_type: 'it has no grant "client_credentials"; use AGENTCORE_TOKEN_COMMAND',
  invalid_scope: 'set AGENTCORE_OAUTH_SCOPES to scopes that this client may have',
  invalid_target: 'check AGENTCORE_OAUTH_AUDIENCE and AGENTCORE_OAUTH_RESOURCE',
};

/** Describes an OAuth error (RFC 6749, 5.2). Text that could be a secret is removed. */
async function createTokenError(
  response: Response,
  endpoint: URL,
  knownScopes: readonly string[],
): Promise<AgentCoreError> {
  const body: unknown = await response.json().catch(() => undefined);
  const { error, error_description: description } = (body ?? {}) as Record<string, unknown>;
  const name = typeof error === 'string' && /^[\w.-]{1,60}$/.test(error) ? error : undefined;
  const said =
    typeof description === 'string'
      ? description
          .split(/[\r\n]/, 1)[0]
          ?.replace(/[\w.~+/=-]{40,}/g, '[…]')
          .slice(0, 200)
      : undefined;
  const detail = [name, said].filter(Boolean).join(': ');
  const scopes =
    name === 'invalid_scope' && knownScopes.length > 0
      ? ` (the MCP server supports ${knownScopes.join(' ')})`
      : '';
  const todo =
    ADVICE[name ?? ''] ?? 'check AGENTCORE_OAUTH_TOKEN_URL and the client there, or try again';
  return new AgentCoreError(
    'credentials',
    `Could not get a bearer token: the OAuth server at ${endpoint.host} rejected the request (HTTP ${response.status}${detail ? `, ${detail}` : ''}): ${todo}${scopes}`,
    { data: { oauthError: name, status: response.status } },
  );
}

function isRefusedClient(thrown: unknown): boolean {
  const { oauthError, status } = (thrown instanceof AgentCoreError && thrown.data) || {};
  return oauthError === 'invalid_client' || oauthError === 'invalid_request' || status === 401;
}

const SET_TOKEN_URL = 'set AGENTCORE_OAUTH_TOKEN_URL to the token endpoint';

/**
 * The discovery document of AgentCore's authorizers. Some servers return its URL instead of their
 * issuer.
 */
const DOCUMENT = /\/\.well-known\/(openid-configuration|oauth-authorization-server)$/;

interface TokenServer {
  readonly server: AuthorizationServer;
  /** The scopes requested by the resource, if any. */
  readonly scope: string | undefined;
  /** All scopes supported by the resource. */
  readonly knownScopes: readonly string[];
}

/**
 * Discovers the token issuer of an MCP server. Its `WWW-Authenticate` header contains the URL of
 * its metadata (RFC 9728), which lists the authorization server. That server has its own metadata
 * (OpenID Connect Discovery, or else RFC 8414).
 *
 * @throws {AgentCoreError} `credentials` if a step is missing or fails.
 */
async function findTokenServer(options: {
  readonly resource: URL;
  readonly network: Network;
  readonly signal: AbortSignal;
  /** Reads an authorization server's metadata, and checks its issuer. */
  readonly discover: (issuer: URL, algorithm: 'oidc' | 'oauth2') => Promise<AuthorizationServer>;
}): Promise<TokenServer> {
  const { resource, network, signal, discover } = options;
  const { method, challenge } = await probeAuthMethod(resource, network, signal).catch((thrown) => {
    throw createCredentialsError(
      `Could not find the token issuer of ${resource.host}: it is unreachable, check the region, the endpoint and the network (${getErrorText(thrown)})`,
    );
  });
  if (method === 'none') {
    throw createCredentialsError(
      `${resource.host} requires no authorization: set AGENTCORE_AUTH to none`,
    );
  }
  if (method === 'iam') {
    throw createCredentialsError(
      `${resource.host} requires IAM signatures, not bearer tokens: set AGENTCORE_AUTH to iam, and AWS_PROFILE to the profile to sign with`,
    );
  }
  if (challenge?.resourceMetadata === undefined) {
    throw createCredentialsError(
      `${resource.host} does not name the issuer of its tokens: ${SET_TOKEN_URL}`,
    );
  }
  const described = await readResource(challenge.resourceMetadata, resource, network, signal);
  const issuer = new URL(described.issuer);
  const server = await discover(issuer, 'oidc').catch((first) =>
    discover(issuer, 'oauth2').catch(() => {
      throw createCredentialsError(
        `Could not use the metadata of the OAuth server ${issuer.href}: ${SET_TOKEN_URL} (${getErrorText(first)})`,
      );
    }),
  );
  return { server, scope: challenge.scope, knownScopes: described.scopes };
}

/**
 * Accepts metadata only from the MCP server's own origin, because the client secret is sent to the
 * issuer listed there.
 */
async function readResource(
  text: string,
  resource: URL,
  network: Network,
  signal: AbortSignal,
): Promise<{ readonly issuer: string; readonly scopes: readonly string[] }> {
  const fail = (what: string) =>
    createCredentialsError(`The metadata of ${resource.host} ${what}: ${SET_TOKEN_URL}`);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.origin !== resource.origin) throw fail('is at another address');
  let metadata: Record<string, unknown>;
  try {
    const response = await fetchViaNetwork(network, url, {
      method: 'GET',
      headers: { accept: 'application/json' },
      signal,
    });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    metadata = Object(await response.json());
  } catch (thrown) {
    throw fail(`could not be read (${getErrorText(thrown)})`);
  }
  const { resource: whose, authorization_servers: servers, scopes_supported: scopes } = metadata;
  if (typeof whose === 'string' && (!URL.canParse(whose) || new URL(whose).origin !== url.origin)) {
    throw fail('is about another server');
  }
  const named: unknown = Array.isArray(servers) ? servers[0] : undefined;
  const issuer = typeof named === 'string' ? named.replace(DOCUMENT, '') : '';
  if (!URL.canParse(issuer) || !isSecureUrl(new URL(issuer))) {
    throw fail('has no authorization server with an https URL');
  }
  const known = Array.isArray(scopes) ? scopes.filter((scope) => typeof scope === 'string') : [];
  return { issuer, scopes: known.slice(0, 20) };
}
