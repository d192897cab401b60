import { decodeJwt, type JWTPayload } from 'jose';
import type { RoleConfig } from '../config/identity-schema.ts';
import { ANY_LOCAL_TOKEN, type ResolvedConfig } from '../config/schema.ts';
import type { TokenRefusalReason } from '../core/events.ts';
import {
  createPrincipalId,
  evaluateIdentityPolicy,
  isTrusted,
  type Principal,
} from '../identity/access-keys.ts';
import type { BearerVerifier } from '../identity/bearer-verifier.ts';
import {
  createAccessDeniedRefusal,
  createValidationRefusal,
  type StsRefusal,
} from './sts-responses.ts';

// The assumption of roles: AssumeRole and AssumeRoleWithWebIdentity.

const ACTION = 'sts:AssumeRole';

const SOURCE_IDENTITY_ACTION = 'sts:SetSourceIdentity';

const CHAIN_LIMIT = 3600;

type Assumption =
  | {
      readonly ok: true;
      readonly principal: Principal;
      /** Lifetime of the credentials in seconds. */
      readonly duration: number;
    }
  | { readonly ok: false; readonly refusal: StsRefusal };

/** Checks an AssumeRole request. Returns the principal of the role session, or the refusal. */
export function assumeRole(
  { roles }: ResolvedConfig,
  parameters: URLSearchParams,
  caller: Principal,
): Assumption {
  const read = readRoleRequest(parameters);
  if (!read.ok) return read;
  const { request } = read;
  const role = roles.find(({ arn }) => arn === request.roleArn);
  const refusal =
    checkSourceIdentityName(parameters) ??
    checkMfa(role, parameters) ??
    checkTrust(role, request, parameters, caller) ??
    checkSourceIdentity(role, parameters, caller) ??
    checkDuration(role, request, caller);
  if (refusal || !role)
    return { ok: false, refusal: refusal ?? createNotAuthorizedRefusal(caller, ACTION, request) };
  const sourceIdentity = parameters.get('SourceIdentity') ?? caller.sourceIdentity;
  return {
    ok: true,
    principal: createAssumedPrincipal(role, request, sourceIdentity),
    duration: role.sessionDuration ?? request.duration,
  };
}

/** Creates the principal of a role session. */
function createAssumedPrincipal(
  role: RoleConfig,
  { sessionName }: RoleRequest,
  sourceIdentity?: string,
): Principal {
  const [, partition, , , account = ''] = role.arn.split(':');
  const name = role.arn.slice(role.arn.lastIndexOf('/') + 1);
  return {
    arn: `arn:${partition}:sts::${account}:assumed-role/${name}/${sessionName}`,
    account,
    userId: `${createPrincipalId('AROA', role.arn)}:${sessionName}`,
    allowed: role.allowed,
    denied: role.denied,
    roleArn: role.arn,
    sourceIdentity,
  };
}

/** Refuses a duration above the maximum of the role. `undefined` if the duration is allowed. */
function checkMaxDuration(
  { maxSessionDuration }: RoleConfig,
  { duration }: RoleRequest,
): StsRefusal | undefined {
  if (duration <= maxSessionDuration) return undefined;
  return createValidationRefusal(
    'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
  );
}

/**
 * Checks the trust of the role and the policies of the caller. STS returns the same error if the
 * role does not exist, does not trust the caller, or no policy of the caller allows the action.
 * Only an explicit deny has another message.
 */
function checkTrust(
  role: RoleConfig | undefined,
  request: RoleRequest,
  parameters: URLSearchParams,
  caller: Principal,
): StsRefusal | undefined {
  const policy = evaluateIdentityPolicy(caller, ACTION);
  if (policy === 'denies') {
    const { message } = createNotAuthorizedRefusal(caller, ACTION, request);
    return createAccessDeniedRefusal(
      `${message} with an explicit deny in an identity-based policy`,
    );
  }
  const cause = describeDistrust(role, policy, parameters, caller);
  return cause === undefined
    ? undefined
    : createNotAuthorizedRefusal(caller, ACTION, request, cause);
}

function describeDistrust(
  role: RoleConfig | undefined,
  policy: 'silent' | 'allows',
  parameters: URLSearchParams,
  caller: Principal,
): string | undefined {
  if (!role) return 'there is no such role';
  const { trustedPrincipals, externalId, mfa } = role;
  if (policy === 'silent' && !trustsCallerByName(role, caller)) {
    return `no policy of the caller allows ${ACTION}`;
  }
  if (trustedPrincipals && !isTrusted(trustedPrincipals, caller)) {
    return 'the role does not trust the caller';
  }
  if (externalId !== undefined && parameters.get('ExternalId') !== externalId) {
    return 'the external id is not that of the role';
  }
  if (mfa && parameters.get('TokenCode') === null) return 'the role wants MFA';
  return undefined;
}

/** Within an account, it is sufficient if the trust policy names the caller. */
function trustsCallerByName(
  { arn, trustedPrincipals = [] }: RoleConfig,
  caller: Principal,
): boolean {
  const sameAccount = arn.split(':')[4] === caller.account;
  return (
    sameAccount && trustedPrincipals.some((name) => name === caller.arn || name === caller.roleArn)
  );
}

function checkMfa(
  role: RoleConfig | undefined,
  parameters: URLSearchParams,
): StsRefusal | undefined {
  const serial = parameters.get('SerialNumber');
  const code = parameters.get('TokenCode');
  if (!role?.mfa || (serial === null && code === null)) return undefined;
  if (serial === null || code === null) {
    return createAccessDeniedRefusal(
      'MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.',
    );
  }
  if (serial !== role.mfa.serial) {
    return createAccessDeniedRefusal(
      'MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.',
    );
  }
  if (code === role.mfa.code) return undefined;
  return createAccessDeniedRefusal(
    'MultiFactorAuthentication failed with invalid MFA one time pass code.',
  );
}

function checkSourceIdentityName(parameters: URLSearchParams): StsRefusal | undefined {
  const wanted = parameters.get('SourceIdentity');
  if (wanted === null) return undefined;
  const mistake = validateName('sourceIdentity', wanted);
  return mistake === undefined ? undefined : createValidationRefusal(mistake);
}

/** Checks the source identity. A role chain cannot change the first one. */
function checkSourceIdentity(
  role: RoleConfig | undefined,
  parameters: URLSearchParams,
  caller: Principal,
): StsRefusal | undefined {
  const wanted = parameters.get('SourceIdentity') ?? undefined;
  const kept = caller.sourceIdentity;
  if ((wanted ?? kept) === undefined || !role) return undefined;
  const changes = kept !== undefined && wanted !== undefined && wanted !== kept;
  const mayPass = evaluateIdentityPolicy(caller, SOURCE_IDENTITY_ACTION) === 'allows';
  if (role.sourceIdentity && mayPass && !changes) return undefined;
  return createNotAuthorizedRefusal(caller, SOURCE_IDENTITY_ACTION, { roleArn: role.arn });
}

function checkDuration(
  role: RoleConfig | undefined,
  request: RoleRequest,
  caller: Principal,
): StsRefusal | undefined {
  if (caller.roleArn !== undefined && request.duration > CHAIN_LIMIT) {
    return createValidationRefusal(
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
    );
  }
  return role && checkMaxDuration(role, request);
}

function createNotAuthorizedRefusal(
  { arn }: Principal,
  action: string,
  { roleArn }: Pick<RoleRequest, 'roleArn'>,
  cause?: string,
): StsRefusal {
  return createAccessDeniedRefusal(
    `User: ${arn} is not authorized to perform: ${action} on resource: ${roleArn}`,
    cause,
  );
}

const DEFAULT_DURATION = 3600;

const SESSION_NAME = '[\\w+=,.@-]*';

/** The parameters of both AssumeRole and AssumeRoleWithWebIdentity. */
interface RoleRequest {
  readonly roleArn: string;
  readonly sessionName: string;
  /** Seconds. */
  readonly duration: number;
}

type ReadRequest =
  | { readonly ok: true; readonly request: RoleRequest }
  | { readonly ok: false; readonly refusal: StsRefusal };

function readRoleRequest(parameters: URLSearchParams): ReadRequest {
  const roleArn = parameters.get('RoleArn') ?? '';
  const sessionName = parameters.get('RoleSessionName') ?? '';
  const duration = Number(parameters.get('DurationSeconds') ?? DEFAULT_DURATION);
  const mistake = validateRoleRequest({ roleArn, sessionName, duration });
  if (mistake !== undefined) return { ok: false, refusal: createValidationRefusal(mistake) };
  return { ok: true, request: { roleArn, sessionName, duration } };
}

function validateRoleRequest({ roleArn, sessionName, duration }: RoleRequest): string | undefined {
  if (roleArn === '') return 'The request must contain the parameter RoleArn.';
  if (!/^arn:aws[a-z-]*:iam::\d{12}:role\/.+$/.test(roleArn)) return `${roleArn} is invalid`;
  if (sessionName === '') return 'The request must contain the parameter RoleSessionName.';
  const name = validateName('roleSessionName', sessionName);
  if (name !== undefined) return name;
  if (!Number.isInteger(duration) || duration < 900) {
    return describeConstraint(
      'durationSeconds',
      duration,
      'have value greater than or equal to 900',
    );
  }
  if (duration > 43_200) {
    return describeConstraint(
      'durationSeconds',
      duration,
      'have value less than or equal to 43200',
    );
  }
  return undefined;
}

/** Validates a session name or a source identity. Both have the same syntax. */
function validateName(field: string, value: string): string | undefined {
  if (value.length < 2)
    return describeConstraint(field, value, 'have length greater than or equal to 2');
  if (value.length > 64)
    return describeConstraint(field, value, 'have length less than or equal to 64');
  if (new RegExp(`^${SESSION_NAME}$`).test(value)) return undefined;
  return describeConstraint(field, value, `satisfy regular expression pattern: ${SESSION_NAME}`);
}

function describeConstraint(field: string, value: string | number, rule: string): string {
  return `1 validation error detected: Value '${value}' at '${field}' failed to satisfy constraint: Member must ${rule}`;
}

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

/** Checks an AssumeRoleWithWebIdentity request with a token of the local OAuth server. */
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
