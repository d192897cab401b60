import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import * as z from 'zod';
import { getErrorMessage } from '../../base/errors.ts';
import { getAuthorizationServer, type JwtAuthorizer } from '../config/schema.ts';
import type { Switches } from '../config/switches.ts';
import type { Clock } from '../core/clock.ts';
import type { LocalEvents, TokenRefusalReason } from '../core/events.ts';
import type { Answer, PlatformError } from '../http/errors.ts';
import type { HttpExchange } from '../http/exchange.ts';
import type { OAuth } from './token-issuer.ts';

// Bearer tokens: verification by keys and claims, challenges and metadata (RFC 6750, RFC 9728).

const DISCOVERY_MS = 5000;

interface TokenRefusal {
  readonly ok: false;
  readonly why: TokenRefusalReason;
  /** The reason as a sentence, for the log. */
  readonly reason: string;
}

type TokenVerification = { readonly ok: true; readonly claims: JWTPayload } | TokenRefusal;

interface TokenRules {
  /** Allowed clock difference in seconds. */
  readonly leeway: number;
  readonly refuseRevoked: boolean;
}

const discoverySchema = z.object({ issuer: z.string(), jwks_uri: z.url() });

interface KeySource {
  readonly issuer: string;
  readonly keys: JWTVerifyGetKey;
}

/**
 * Verifies tokens like the JWT authorizer of AgentCore: by keys and claims only, without
 * introspection.
 */
export class BearerVerifier {
  readonly #oauth: OAuth;
  readonly #clock: Clock;
  readonly #remote = new Map<string, Promise<KeySource>>();

  constructor(oauth: OAuth, clock: Clock) {
    this.#oauth = oauth;
    this.#clock = clock;
  }

  async verify(
    token: string | undefined,
    authorizer: JwtAuthorizer,
    { leeway, refuseRevoked }: TokenRules,
  ): Promise<TokenVerification> {
    if (token === undefined)
      return createTokenRefusal('no-token', 'the request carries no bearer token');
    let source: KeySource;
    try {
      source = await this.#getKeySource(authorizer.discoveryUrl);
    } catch (error) {
      return createTokenRefusal(
        'discovery',
        `could not read ${authorizer.discoveryUrl}: ${getErrorMessage(error)}`,
      );
    }
    let claims: JWTPayload;
    try {
      const verified = await jwtVerify(token, source.keys, {
        issuer: source.issuer,
        clockTolerance: leeway,
        currentDate: new Date(this.#clock.now()),
        requiredClaims: ['exp'],
      });
      claims = verified.payload;
    } catch (error) {
      return createTokenRefusal(getRefusalReason(error), getErrorMessage(error));
    }
    const mismatch = describeMismatch(claims, authorizer);
    if (mismatch) return createTokenRefusal('token-claims', mismatch);
    if (refuseRevoked && this.#oauth.issuer.isRevoked(claims)) {
      return createTokenRefusal('token-revoked', 'the token was revoked');
    }
    return { ok: true, claims };
  }

  async #getKeySource(discoveryUrl: string | undefined): Promise<KeySource> {
    const { issuerUrl, keys } = this.#oauth;
    if (discoveryUrl === undefined) {
      return { issuer: issuerUrl, keys: createLocalJWKSet(await keys.publicSet()) };
    }
    const known = this.#remote.get(discoveryUrl);
    if (known) return known;
    const source = discover(discoveryUrl);
    this.#remote.set(discoveryUrl, source);
    // After an error, the next request repeats the discovery.
    source.catch(() => this.#remote.delete(discoveryUrl));
    return source;
  }
}

async function discover(discoveryUrl: string): Promise<KeySource> {
  const response = await fetch(discoveryUrl, { signal: AbortSignal.timeout(DISCOVERY_MS) });
  const { issuer, jwks_uri } = discoverySchema.parse(await response.json());
  return { issuer, keys: createRemoteJWKSet(new URL(jwks_uri)) };
}

/** The scheme is case-insensitive (RFC 6750, 2.1). */
function parseBearerToken(authorization: string | undefined): string | undefined {
  return /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
}

function getRefusalReason(error: unknown): TokenRefusalReason {
  if (error instanceof errors.JWTExpired) return 'token-expired';
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'nbf') return 'token-not-yet-valid';
    return error.claim === 'iss' ? 'token-issuer' : 'token-claims';
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'token-signature';
  if (error instanceof errors.JWKSNoMatchingKey) return 'token-signature';
  return 'not-a-jwt';
}

/** Returns a mismatch, if any. The token must contain a value of each list that is not empty. */
function describeMismatch(claims: JWTPayload, authorizer: JwtAuthorizer): string | undefined {
  const { allowedAudience, allowedClients, allowedScopes } = authorizer;
  const { aud, client_id: client, scope } = claims;
  const audience = typeof aud === 'string' ? [aud] : (aud ?? []);
  const scopes = typeof scope === 'string' ? scope.split(' ') : [];
  const clients = typeof client === 'string' ? [client] : [];
  if (!hasAllowedValue(allowedAudience, audience)) return describeClaimMismatch('aud');
  if (!hasAllowedValue(allowedClients, clients)) return describeClaimMismatch('client_id');
  if (!hasAllowedValue(allowedScopes, scopes)) return describeClaimMismatch('scope');
  return undefined;
}

function hasAllowedValue(allowed: readonly string[], given: readonly string[]): boolean {
  return allowed.length === 0 || given.some((value) => allowed.includes(value));
}

function describeClaimMismatch(claim: string): string {
  return `Claim '${claim}' value mismatch with configuration`;
}

function createTokenRefusal(why: TokenRefusalReason, reason: string): TokenRefusal {
  return { ok: false, why, reason };
}

type BearerCheck =
  | { readonly ok: true; readonly claims: JWTPayload }
  | { readonly ok: false; readonly error: PlatformError };

/** Checks the bearer token of a request. If it is refused, emits an event with the reason. */
export async function checkBearer(
  { bearer, events }: { readonly bearer: BearerVerifier; readonly events: LocalEvents },
  exchange: HttpExchange,
  authorizer: JwtAuthorizer,
  switches: Pick<Switches, 'jwtLeeway' | 'revokedTokens' | 'jwtClaimErrors'>,
): Promise<BearerCheck> {
  const verification = await bearer.verify(
    parseBearerToken(exchange.header('authorization')),
    authorizer,
    {
      leeway: switches.jwtLeeway,
      refuseRevoked: switches.revokedTokens === 'refuse',
    },
  );
  if (verification.ok) return verification;
  const { why, reason } = verification;
  exchange.record.refusal = reason;
  events.emit(() => ({ type: 'token-refused', why, reason, request: exchange.record }));
  const forbidden = why === 'token-claims' && switches.jwtClaimErrors === 'access-denied';
  const error: PlatformError = forbidden
    ? { kind: 'access-denied', message: `OAuth authorization failed: ${reason}` }
    : { kind: 'unauthorized', message: '' };
  return { ok: false, error };
}

/**
 * Creates the RFC 9728 metadata, from which clients find the authorization server of a resource.
 */
export function createProtectedResourceResponse(
  resource: string,
  { discoveryUrl, allowedScopes }: JwtAuthorizer,
  localIssuer: string,
): Answer {
  const server = discoveryUrl === undefined ? localIssuer : getAuthorizationServer(discoveryUrl);
  return {
    status: 200,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      resource,
      authorization_servers: [server],
      bearer_methods_supported: ['header'],
      ...(allowedScopes.length > 0 && { scopes_supported: allowedScopes }),
    }),
  };
}

/** Adds a challenge with the URL of the metadata. */
export function withBearerChallenge(answer: Answer, metadataUrl: string): Answer {
  const challenge = `Bearer resource_metadata="${metadataUrl}"`;
  return { ...answer, headers: { ...answer.headers, 'WWW-Authenticate': challenge } };
}

/**
 * The message of AgentCore for a request with the other authorization method. Source: user reports.
 */
const MISMATCH =
  "Authorization method mismatch. The agent is configured for a different authorization method than what was used in your request. Check the agent's authorization configuration and ensure your request uses the matching method (OAuth or SigV4)";

type Method = 'sigv4' | 'bearer';

/** The authorization method of a request. `undefined` if it has none. */
export function getAuthorizationMethod(exchange: HttpExchange): Method | undefined {
  const authorization = exchange.header('authorization') ?? '';
  if (/^bearer /i.test(authorization)) return 'bearer';
  return authorization.startsWith('AWS4-HMAC-SHA256') ? 'sigv4' : undefined;
}

/** Returns an error if the method of the request is not in `accepted`. */
export function checkMethod(
  exchange: HttpExchange,
  accepted: readonly Method[],
): PlatformError | undefined {
  const used = getAuthorizationMethod(exchange);
  if (used === undefined || accepted.includes(used)) return undefined;
  return { kind: 'access-denied', message: MISMATCH };
}

/** Records why an authenticated caller was denied, and emits an event. */
export function recordDenial(
  { events }: { readonly events: LocalEvents },
  { record }: HttpExchange,
  reason: string,
): void {
  record.refusal = reason;
  events.emit(() => ({ type: 'access-denied', reason, request: record }));
}
