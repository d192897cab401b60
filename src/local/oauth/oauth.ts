import type { Clock } from '../clock.ts';
import type { OAuthConfig } from './oauth-config.ts';
import { SigningKeys } from './signing-keys.ts';
import { type IssuedTokens, TokenIssuer, type TokenRequest } from './token-issuer.ts';

/** The state of the local OAuth server, which its endpoints and the authorizers share. */
export interface OAuth {
  /** The `iss` of its tokens. */
  readonly issuerUrl: string;
  readonly keys: SigningKeys;
  readonly issuer: TokenIssuer;
}

/** What a test does with it, besides what clients can. */
export interface LocalOAuth {
  readonly issuer: string;
  readonly discoveryUrl: string;
  readonly tokenUrl: string;
  /** The ids of the clients in the configuration. */
  readonly clients: readonly string[];
  /**
   * Tokens of any kind, good or not.
   *
   * @throws {AgentCoreError} `usage` for an unknown client.
   */
  issue(request: TokenRequest): Promise<IssuedTokens>;
  /** Revokes an access or refresh token. */
  revoke(token: string): void;
  /** From now on there is no such client, and its refresh tokens are good for nothing. */
  revokeClient(clientId: string): void;
  /** Signs with a new key. The old ones stay published unless `keepOld` is false. */
  rotateKeys(options?: { readonly keepOld?: boolean }): Promise<void>;
}

/** `issuerUrl` is asked for each time: it is not known before the port is. */
export function createOAuth(config: OAuthConfig, clock: Clock, issuerUrl: () => string): OAuth {
  const keys = new SigningKeys();
  return {
    get issuerUrl() {
      return issuerUrl();
    },
    keys,
    issuer: new TokenIssuer(config, keys, clock, issuerUrl),
  };
}

export function oauthHandle({ issuerUrl, keys, issuer }: OAuth): LocalOAuth {
  return {
    issuer: issuerUrl,
    discoveryUrl: `${issuerUrl}/.well-known/openid-configuration`,
    tokenUrl: `${issuerUrl}/token`,
    clients: issuer.clients,
    issue: (request) => issuer.issue(request),
    revoke: (token) => issuer.revoke(token),
    revokeClient: (clientId) => issuer.revokeClient(clientId),
    rotateKeys: ({ keepOld = true } = {}) => keys.rotate(keepOld),
  };
}
