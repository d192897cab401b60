import type { ResolvedConfig } from '../config.ts';
import { principalId } from '../signatures/access-keys.ts';
import type { Principal } from '../signatures/identity.ts';
import type { RoleConfig } from '../signatures/principal-config.ts';
import { identityPolicy } from './permissions.ts';
import { nameMistake, type RoleRequest, readRoleRequest } from './role-request.ts';
import { accessDenied, invalid, type StsRefusal } from './sts-answers.ts';
import { trusts } from './trust.ts';

const ACTION = 'sts:AssumeRole';
const SOURCE_IDENTITY_ACTION = 'sts:SetSourceIdentity';
const CHAIN_LIMIT = 3600;

export type Assumption =
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
    sourceIdentityMistake(parameters) ??
    mfaMistake(role, parameters) ??
    trustRefusal(role, request, parameters, caller) ??
    sourceIdentityRefusal(role, parameters, caller) ??
    durationRefusal(role, request, caller);
  if (refusal || !role) return { ok: false, refusal: refusal ?? denied(caller, ACTION, request) };
  const sourceIdentity = parameters.get('SourceIdentity') ?? caller.sourceIdentity;
  return {
    ok: true,
    principal: assumedPrincipal(role, request, sourceIdentity),
    duration: role.sessionDuration ?? request.duration,
  };
}

/** The principal of a role session. */
export function assumedPrincipal(
  role: RoleConfig,
  { sessionName }: RoleRequest,
  sourceIdentity?: string,
): Principal {
  const [, partition, , , account = ''] = role.arn.split(':');
  const name = role.arn.slice(role.arn.lastIndexOf('/') + 1);
  return {
    arn: `arn:${partition}:sts::${account}:assumed-role/${name}/${sessionName}`,
    account,
    userId: `${principalId('AROA', role.arn)}:${sessionName}`,
    allowed: role.allowed,
    denied: role.denied,
    roleArn: role.arn,
    sourceIdentity,
  };
}

/** Refuses a duration above the role's maximum. `undefined` if it is allowed. */
export function maxDurationRefusal(
  { maxSessionDuration }: RoleConfig,
  { duration }: RoleRequest,
): StsRefusal | undefined {
  if (duration <= maxSessionDuration) return undefined;
  return invalid('The requested DurationSeconds exceeds the MaxSessionDuration set for this role.');
}

/**
 * STS returns the same error in three cases: no such role, a role without trust in the caller, or
 * no policy of the caller that allows the action. Only an explicit deny has its own message.
 */
function trustRefusal(
  role: RoleConfig | undefined,
  request: RoleRequest,
  parameters: URLSearchParams,
  caller: Principal,
): StsRefusal | undefined {
  const policy = identityPolicy(caller, ACTION);
  if (policy === 'denies') {
    const { message } = denied(caller, ACTION, request);
    return accessDenied(`${message} with an explicit deny in an identity-based policy`);
  }
  const cause = distrust(role, policy, parameters, caller);
  return cause === undefined ? undefined : denied(caller, ACTION, request, cause);
}

function distrust(
  role: RoleConfig | undefined,
  policy: 'silent' | 'allows',
  parameters: URLSearchParams,
  caller: Principal,
): string | undefined {
  if (!role) return 'there is no such role';
  const { trustedPrincipals, externalId, mfa } = role;
  if (policy === 'silent' && !namesCaller(role, caller)) {
    return `no policy of the caller allows ${ACTION}`;
  }
  if (trustedPrincipals && !trusts(trustedPrincipals, caller)) {
    return 'the role does not trust the caller';
  }
  if (externalId !== undefined && parameters.get('ExternalId') !== externalId) {
    return 'the external id is not that of the role';
  }
  if (mfa && parameters.get('TokenCode') === null) return 'the role wants MFA';
  return undefined;
}

/** Within an account, a trust policy that names the caller itself is sufficient. */
function namesCaller({ arn, trustedPrincipals = [] }: RoleConfig, caller: Principal): boolean {
  const sameAccount = arn.split(':')[4] === caller.account;
  return (
    sameAccount && trustedPrincipals.some((name) => name === caller.arn || name === caller.roleArn)
  );
}

function mfaMistake(
  role: RoleConfig | undefined,
  parameters: URLSearchParams,
): StsRefusal | undefined {
  const serial = parameters.get('SerialNumber');
  const code = parameters.get('TokenCode');
  if (!role?.mfa || (serial === null && code === null)) return undefined;
  if (serial === null || code === null) {
    return accessDenied(
      'MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.',
    );
  }
  if (serial !== role.mfa.serial) {
    return accessDenied(
      'MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.',
    );
  }
  if (code === role.mfa.code) return undefined;
  return accessDenied('MultiFactorAuthentication failed with invalid MFA one time pass code.');
}

function sourceIdentityMistake(parameters: URLSearchParams): StsRefusal | undefined {
  const wanted = parameters.get('SourceIdentity');
  if (wanted === null) return undefined;
  const mistake = nameMistake('sourceIdentity', wanted);
  return mistake === undefined ? undefined : invalid(mistake);
}

/** Role chaining must keep its first source identity. */
function sourceIdentityRefusal(
  role: RoleConfig | undefined,
  parameters: URLSearchParams,
  caller: Principal,
): StsRefusal | undefined {
  const wanted = parameters.get('SourceIdentity') ?? undefined;
  const kept = caller.sourceIdentity;
  if ((wanted ?? kept) === undefined || !role) return undefined;
  const changes = kept !== undefined && wanted !== undefined && wanted !== kept;
  const mayPass = identityPolicy(caller, SOURCE_IDENTITY_ACTION) === 'allows';
  if (role.sourceIdentity && mayPass && !changes) return undefined;
  return denied(caller, SOURCE_IDENTITY_ACTION, { roleArn: role.arn });
}

function durationRefusal(
  role: RoleConfig | undefined,
  request: RoleRequest,
  caller: Principal,
): StsRefusal | undefined {
  if (caller.roleArn !== undefined && request.duration > CHAIN_LIMIT) {
    return invalid(
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
    );
  }
  return role && maxDurationRefusal(role, request);
}

function denied(
  { arn }: Principal,
  action: string,
  { roleArn }: Pick<RoleRequest, 'roleArn'>,
  cause?: string,
): StsRefusal {
  return accessDenied(
    `User: ${arn} is not authorized to perform: ${action} on resource: ${roleArn}`,
    cause,
  );
}
