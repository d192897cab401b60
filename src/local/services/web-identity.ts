import { decodeJwt, type JWTPayload } from 'jose';
import type { BearerVerifier, TokenRefusalReason } from '../authorization/bearer-verifier.ts';
import { ANY_LOCAL_TOKEN } from '../authorization/jwt-authorizer.ts';
import type { ResolvedConfig } from '../config.ts';
import type { Principal } from '../signatures/identity.ts';
import { checkMaxDuration, createAssumedPrincipal } from './assume-role.ts';
import { readRoleRequest } from './role-request.ts';
import {
  createAccessDeniedRefusal,
  createValidationRefusal,
  type StsRefusal,
} from './sts-answers.ts';

const NOT_AUTHORIZED = 'Not authorized to perform sts:AssumeRoleWithWebIdentity';

type WebAssumption =
  | {
      readonly ok: true;
      readonly principal: Principal;
      /** Lifetime of the credentials in seconds. */
      readonly duration: number;
      readonly claims: JWTPayload;
    }
  | { readonly ok: false; readonly refusal: StsRefusal };

/** Handles AssumeRoleWithWebIdentity for tokens of the local OAuth server. */
export async function assumeRoleWithWebIdentity(
  { roles }: ResolvedConfig,
  parameters: URLSearchParams,
  bearer: BearerVerifier,
  now: number,
): Promise<WebAssumption> {
  const read = readRoleRequest(parameters);
  if (!read.ok) return read;
  const { request } = read;
  const token = parameters.get('WebIdentityToken');
  if (token === null) {
    return createRefusedAssumption(
      createValidationRefusal('The request must contain the parameter WebIdentityToken.'),
    );
  }
  const role = roles.find(({ arn }) => arn === request.roleArn);
  if (!role?.webIdentity) {
    return createRefusedAssumption(
      createAccessDeniedRefusal(NOT_AUTHORIZED, 'there is no such role for web identities'),
    );
  }
  const { audience, subjects } = role.webIdentity;
  const authorizer = { ...ANY_LOCAL_TOKEN, allowedAudience: audience };
  const verified = await bearer.verify(token, authorizer, { leeway: 0, refuseRevoked: false });
  if (!verified.ok)
    return createRefusedAssumption(createTokenRefusal(verified.why, verified.reason, token, now));
  const { claims } = verified;
  if (subjects.length > 0 && !subjects.includes(claims.sub ?? '')) {
    return createRefusedAssumption(
      createAccessDeniedRefusal(NOT_AUTHORIZED, 'the role does not trust the subject'),
    );
  }
  const tooLong = checkMaxDuration(role, request);
  if (tooLong) return createRefusedAssumption(tooLong);
  const principal = createAssumedPrincipal(role, request);
  return { ok: true, principal, duration: role.sessionDuration ?? request.duration, claims };
}

function createTokenRefusal(
  why: TokenRefusalReason,
  cause: string,
  token: string,
  now: number,
): StsRefusal {
  const invalidToken = (message: string) => ({
    status: 400,
    code: 'InvalidIdentityToken',
    message,
    cause,
  });
  switch (why) {
    case 'token-expired': {
      const { exp } = decodeJwt(token);
      const message = `Token expired: current date/time ${Math.floor(now / 1000)} must be before the expiration date/time ${exp}`;
      return { status: 400, code: 'ExpiredTokenException', message, cause };
    }
    case 'token-claims':
      return invalidToken('Incorrect token audience');
    case 'token-issuer':
      return invalidToken('No OpenIDConnect provider found in your account for this issuer');
    case 'token-signature':
      return invalidToken(
        "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements",
      );
    default:
      return invalidToken('The ID Token provided is not a valid JWT.');
  }
}

function createRefusedAssumption(refusal: StsRefusal): WebAssumption {
  return { ok: false, refusal };
}
