import { randomBytes, randomUUID } from 'node:crypto';
import {
  type CryptoKey,
  decodeJwt,
  exportJWK,
  generateKeyPair,
  type JSONWebKeySet,
  type JWK,
  type JWTPayload,
  SignJWT,
} from 'jose';
import { AgentCoreError } from '../../base/errors.ts';
import type { OAuthClient, OAuthConfig } from '../config/schema.ts';
import type { Clock } from '../core/clock.ts';

// The tokens and the keys of the local OAuth server.

/** Maximum number of refresh tokens, and of revocations, in memory. The oldest ones are dropped. */
const MAX_REMEMBERED = 10_000;

interface TokenRequest {
  readonly clientId: string;
  /** Default: all scopes of the client. */
  readonly scopes?: readonly string[];
  /** `sub`. Default: the client id. */
  readonly subject?: string;
  /** `aud`. Default: the client's audience. */
  readonly audience?: string | readonly string[];
  /**
   * Seconds until expiry. If negative, the token is already expired. Default: from the
   * configuration.
   */
  readonly expiresIn?: number;
  /** Seconds until the token becomes valid. Default: 0. */
  readonly validIn?: number;
  /** Claims to add or override. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

interface IssuedTokens {
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Seconds. */
  readonly expiresIn: number;
  readonly scopes: readonly string[];
}

/** The authorization that a refresh token represents. */
interface Grant {
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly subject: string;
  readonly expiresAt: number;
}

/** Issues and revokes tokens. */
export class TokenIssuer {
  readonly #config: OAuthConfig;
  readonly #keys: SigningKeys;
  readonly #clock: Clock;
  readonly #issuer: () => string;
  readonly #grants = new Map<string, Grant>();
  readonly #revokedIds = new Map<string, true>();
  readonly #revokedClients = new Set<string>();

  constructor(config: OAuthConfig, keys: SigningKeys, clock: Clock, issuer: () => string) {
    this.#config = config;
    this.#keys = keys;
    this.#clock = clock;
    this.#issuer = issuer;
  }

  get clients(): readonly string[] {
    return Object.keys(this.#config.clients);
  }

  /** Returns the client. `undefined` if it does not exist or was revoked. */
  client(id: string): OAuthClient | undefined {
    return this.#revokedClients.has(id) ? undefined : this.#config.clients[id];
  }

  /**
   * Issues an access token and a refresh token.
   *
   * @throws {AgentCoreError} `usage` if the client does not exist.
   */
  async issue(request: TokenRequest): Promise<IssuedTokens> {
    const { clientId } = request;
    const client = this.client(clientId);
    if (!client) throw new AgentCoreError('usage', `No OAuth client has this id: ${clientId}`);
    const scopes = request.scopes ?? client.scopes;
    const subject = request.subject ?? clientId;
    const expiresIn = request.expiresIn ?? client.tokenDuration ?? this.#config.tokenDuration;
    const audience = request.audience ?? client.audience;
    const now = this.#clock.now();
    const seconds = Math.floor(now / 1000);
    const accessToken = await this.#keys.sign({
      iss: this.#issuer(),
      sub: subject,
      client_id: clientId,
      ...(audience !== undefined && {
        aud: typeof audience === 'string' ? audience : [...audience],
      }),
      ...(scopes.length > 0 && { scope: scopes.join(' ') }),
      iat: seconds,
      nbf: seconds + (request.validIn ?? 0),
      exp: Math.floor(now / 1000 + expiresIn),
      jti: randomUUID(),
      ...request.claims,
    });
    const refreshToken = randomBytes(32).toString('base64url');
    const expiresAt = now + this.#config.refreshDuration * 1000;
    addBounded(this.#grants, refreshToken, { clientId, scopes, subject, expiresAt });
    return { accessToken, refreshToken, expiresIn, scopes };
  }

  /**
   * Returns the grant of a refresh token. `undefined` if the token is unknown, expired, revoked or
   * issued to another client.
   */
  grant(refreshToken: string, clientId: string): Grant | undefined {
    const grant = this.#grants.get(refreshToken);
    if (!grant || grant.clientId !== clientId) return undefined;
    return grant.expiresAt > this.#clock.now() ? grant : undefined;
  }

  /** Revokes an access or refresh token. Ignores an unknown token (RFC 7009). */
  revoke(token: string): void {
    if (this.#grants.delete(token)) return;
    const id = getTokenId(token);
    if (id !== undefined) addBounded(this.#revokedIds, id, true);
  }

  /** Revokes a client. It then counts as unknown, and its refresh tokens are invalid. */
  revokeClient(id: string): void {
    this.#revokedClients.add(id);
  }

  isRevoked({ jti, client_id: client }: { readonly jti?: unknown; readonly client_id?: unknown }) {
    return (
      (typeof jti === 'string' && this.#revokedIds.has(jti)) ||
      (typeof client === 'string' && this.#revokedClients.has(client))
    );
  }
}

function getTokenId(token: string): string | undefined {
  try {
    return decodeJwt(token).jti;
  } catch {
    return undefined;
  }
}

function addBounded<T>(map: Map<string, T>, key: string, value: T): void {
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > MAX_REMEMBERED && oldest !== undefined) map.delete(oldest);
}

const ALGORITHM = 'RS256';

interface SigningKey {
  readonly id: string;
  readonly secret: CryptoKey;
  readonly public: JWK;
}

/** The key pairs of the OAuth server. The newest one signs. All published ones verify. */
class SigningKeys {
  /** Generated on first use, because this takes longer than the rest of the start. */
  #keys: Promise<readonly SigningKey[]> | undefined;

  async sign(claims: JWTPayload): Promise<string> {
    const [newest] = await this.#published();
    if (!newest) throw new Error('There is no signing key');
    return new SignJWT(claims)
      .setProtectedHeader({ alg: ALGORITHM, kid: newest.id, typ: 'at+jwt' })
      .sign(newest.secret);
  }

  async publicSet(): Promise<JSONWebKeySet> {
    return { keys: (await this.#published()).map((key) => key.public) };
  }

  /** Signs with a new key from now on. If `keepOld` is false, existing tokens become invalid. */
  async rotate(keepOld: boolean): Promise<void> {
    const old = keepOld ? await this.#published() : [];
    this.#keys = createSigningKey().then((key) => [key, ...old]);
    await this.#keys;
  }

  #published(): Promise<readonly SigningKey[]> {
    this.#keys ??= createSigningKey().then((key) => [key]);
    return this.#keys;
  }
}

async function createSigningKey(): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair(ALGORITHM);
  const id = randomUUID();
  const jwk = await exportJWK(publicKey);
  return {
    id,
    secret: privateKey,
    public: { ...jwk, kid: id, alg: ALGORITHM, use: 'sig' },
  };
}

/** The state of the local OAuth server, shared by its endpoints and by authorizers. */
export interface OAuth {
  /** `iss` of its tokens. */
  readonly issuerUrl: string;
  readonly keys: SigningKeys;
  readonly issuer: TokenIssuer;
}

/** The OAuth server for tests, with operations that clients do not have. */
export interface LocalOAuth {
  readonly issuer: string;
  readonly discoveryUrl: string;
  readonly tokenUrl: string;
  /** Ids of the configured clients. */
  readonly clients: readonly string[];
  /**
   * Issues a token with any claims, valid or not.
   *
   * @throws {AgentCoreError} `usage` if the client is unknown.
   */
  issue(request: TokenRequest): Promise<IssuedTokens>;
  /** Revokes an access or refresh token. */
  revoke(token: string): void;
  /** Revokes a client. It then counts as unknown, and its refresh tokens are invalid. */
  revokeClient(clientId: string): void;
  /**
   * Signs with a new key from now on. If `keepOld` is false, existing tokens become invalid.
   * Default: true.
   */
  rotateKeys(options?: { readonly keepOld?: boolean }): Promise<void>;
}

/**
 * Creates the state of the OAuth server.
 *
 * @param issuerUrl Returns the URL, which is known only after the server has a port.
 */
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
