import type { ResolvedConfig } from '../config.ts';
import { createPrincipalId } from '../signatures/access-keys.ts';
import type { Principal } from '../signatures/identity.ts';
import type { RoleConfig } from '../signatures/principal-config.ts';
import { evaluateIdentityPolicy } from './permissions.ts';
import { type RoleRequest, readRoleRequest, validateName } from './role-request.ts';
import {
  createAccessDeniedRefusal,
  createValidationRefusal,
  type StsRefusal,
} from './sts-answers.ts';
import { isTrusted } from './trust.ts';

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

/** Handles AssumeRole: returns the new principal, or the reason for a refusal. */
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

/** The principal of a role session. */
export function createAssumedPrincipal(
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

/** Refuses a duration above the role's maximum. `undefined` if it is allowed. */
export function checkMaxDuration(
  { maxSessionDuration }: RoleConfig,
  { duration }: RoleRequest,
): StsRefusal | undefined {
  if (duration <= maxSessionDuration) return undefined;
  return createValidationRefusal(
    'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
  );
}

/**
 * STS returns the same error in three cases: no such role, a role without trust in the caller, or
 * no policy of the caller that allows the action. Only an explicit deny has its own message.
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

/** Within an account, a trust policy that names the caller itself is sufficient. */
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

/** Role chaining must keep its first source identity. */
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
