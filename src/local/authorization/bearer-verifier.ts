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
import type { Clock } from '../clock.ts';
import type { OAuth } from '../oauth/oauth.ts';
import type { JwtAuthorizer } from './jwt-authorizer.ts';

const DISCOVERY_MS = 5000;

/** The reason for a refused bearer token. The response to the caller does not contain it. */
export type TokenRefusalReason =
  | 'no-token'
  | 'not-a-jwt'
  | 'token-signature'
  | 'token-expired'
  | 'token-not-yet-valid'
  | 'token-issuer'
  | 'token-claims'
  | 'token-revoked'
  | 'discovery';

interface TokenRefusal {
  readonly ok: false;
  readonly why: TokenRefusalReason;
  /** A sentence for the log. */
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
 * Verifies tokens like AgentCore's JWT authorizer: by keys and claims only, without introspection.
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
    // Retry discovery on the next request.
    source.catch(() => this.#remote.delete(discoveryUrl));
    return source;
  }
}

async function discover(discoveryUrl: string): Promise<KeySource> {
  const response = await fetch(discoveryUrl, { signal: AbortSignal.timeout(DISCOVERY_MS) });
  const { issuer, jwks_uri } = discoverySchema.parse(await response.json());
  return { issuer, keys: createRemoteJWKSet(new URL(jwks_uri)) };
}

/** RFC 6750, 2.1. The scheme is case-insensitive. */
export function parseBearerToken(authorization: string | undefined): string | undefined {
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

/** Each non-empty list of the authorizer requires one of its values in the token. */
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
