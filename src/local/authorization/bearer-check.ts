import type { JWTPayload } from 'jose';
import type { HttpExchange } from '../answers/http-exchange.ts';
import type { PlatformError } from '../answers/platform-error.ts';
import type { LocalEvents } from '../events.ts';
import type { Switches } from '../switches.ts';
import { type BearerVerifier, parseBearerToken } from './bearer-verifier.ts';
import type { JwtAuthorizer } from './jwt-authorizer.ts';

type BearerCheck =
  | { readonly ok: true; readonly claims: JWTPayload }
  | { readonly ok: false; readonly error: PlatformError };

/** Checks the bearer token of a request. Emits the reason for a refusal to the log. */
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
