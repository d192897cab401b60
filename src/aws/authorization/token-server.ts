import type { AuthorizationServer } from 'oauth4webapi';
import { createCredentialsError, getErrorText } from '../credentials/credentials-failure.ts';
import type { Network } from '../network.ts';
import { isSecureUrl } from '../private-url.ts';
import { probeAuthMethod } from './challenge.ts';
import { fetchViaNetwork } from './network-fetch.ts';

const SET_IT = 'set AGENTCORE_OAUTH_TOKEN_URL to where its tokens are issued';

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
export async function findTokenServer(options: {
  readonly resource: URL;
  readonly network: Network;
  readonly signal: AbortSignal;
  /** Reads an authorization server's metadata, and checks its issuer. */
  readonly discover: (issuer: URL, algorithm: 'oidc' | 'oauth2') => Promise<AuthorizationServer>;
}): Promise<TokenServer> {
  const { resource, network, signal, discover } = options;
  const { method, challenge } = await probeAuthMethod(resource, network, signal).catch((thrown) => {
    throw createCredentialsError(
      `No bearer token: ${resource.host} was asked who issues its tokens, and could not be reached (${getErrorText(thrown)}): check the region, the endpoint and the network`,
    );
  });
  if (method === 'none') {
    throw createCredentialsError(
      `${resource.host} lets everybody in and wants no token: set AGENTCORE_AUTH to none`,
    );
  }
  if (method === 'iam') {
    throw createCredentialsError(
      `${resource.host} wants IAM signatures here, and no bearer tokens: set AGENTCORE_AUTH to iam, and AWS_PROFILE to the profile to sign with`,
    );
  }
  if (challenge?.resourceMetadata === undefined) {
    throw createCredentialsError(`${resource.host} does not say who issues its tokens: ${SET_IT}`);
  }
  const described = await readResource(challenge.resourceMetadata, resource, network, signal);
  const issuer = new URL(described.issuer);
  const server = await discover(issuer, 'oidc').catch((first) =>
    discover(issuer, 'oauth2').catch(() => {
      throw createCredentialsError(
        `The OAuth server ${issuer.href} cannot be used by what it says of itself (${getErrorText(first)}): ${SET_IT}`,
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
    createCredentialsError(`What ${resource.host} says of itself ${what}: ${SET_IT}`);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.origin !== resource.origin) throw fail('is said to be at another address');
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
    throw fail('names no authorization server with an https address');
  }
  const known = Array.isArray(scopes) ? scopes.filter((scope) => typeof scope === 'string') : [];
  return { issuer, scopes: known.slice(0, 20) };
}
