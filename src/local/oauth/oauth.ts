import type { Clock } from '../clock.ts';
import type { OAuthConfig } from './oauth-config.ts';
import { SigningKeys } from './signing-keys.ts';
import { type IssuedTokens, TokenIssuer, type TokenRequest } from './token-issuer.ts';

/** The state of the local OAuth server, shared by its endpoints and the authorizers. */
export interface OAuth {
  /** `iss` of its tokens. */
  readonly issuerUrl: string;
  readonly keys: SigningKeys;
  readonly issuer: TokenIssuer;
}

/** The OAuth server as exposed to tests, with operations that clients lack. */
export interface LocalOAuth {
  readonly issuer: string;
  readonly discoveryUrl: string;
  readonly tokenUrl: string;
  /** Ids of the configured clients. */
  readonly clients: readonly string[];
  /**
   * Issues tokens of any kind, valid or not.
   *
   * @throws {AgentCoreError} `usage` if the client is unknown.
   */
  issue(request: TokenRequest): Promise<IssuedTokens>;
  /** Revokes an access or refresh token. */
  revoke(token: string): void;
  /** Makes a client unknown and its refresh tokens invalid. */
  revokeClient(clientId: string): void;
  /** Signs with a new key. The old keys stay published unless `keepOld` is false. */
  rotateKeys(options?: { readonly keepOld?: boolean }): Promise<void>;
}

/** `issuerUrl` is a function because the URL is unknown until the port is. */
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

export function createOAuthHandle({ issuerUrl, keys, issuer }: OAuth): LocalOAuth {
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
