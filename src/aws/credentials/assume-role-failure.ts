import type { AgentCoreError } from '../../error.ts';
import { type TrustedPrincipal, toTrustedPrincipal } from '../iam/trust-policy.ts';
import { createCredentialsError, getErrorText, toSignatureError } from './credentials-failure.ts';
import type { RoleStep } from './credentials-options.ts';

/** A missing policy statement and the policy to add it to. */
interface MissingStatement {
  /** `caller`: a policy of the calling principal. `trust`: the role's trust policy. */
  readonly of: 'caller' | 'trust';
  readonly statement: object;
}

/** Converts an AssumeRole error to an error with the required change and the policy to change. */
export function assumeRoleFailure(cause: unknown, role: RoleStep, whose: string): AgentCoreError {
  const words = getErrorText(cause);
  const { name } = cause as Error;
  const fail = (sentence: string) =>
    createCredentialsError(`Could not assume ${role.arn}: ${sentence} (${words})`, { cause });
  if (/MultiFactorAuthentication/i.test(words)) {
    return fail(
      role.mfaSerial
        ? `the MFA code was not accepted: a code works once, so wait for the next one, and check the serial number ${role.mfaSerial}`
        : 'it needs MFA: set AGENTCORE_ASSUME_ROLE_MFA_SERIAL, or mfa_serial in the profile',
    );
  }
  if (/role chaining/i.test(words)) {
    return fail(
      'a role that is assumed by means of another role lasts an hour at the most: set a duration of 3600 or less, or none',
    );
  }
  if (/MaxSessionDuration/.test(words)) {
    return fail(
      `the role does not last for ${role.duration ?? 3600} s: set a shorter duration, or raise the role's maximum session duration`,
    );
  }
  if (/RegionDisabled/.test(name)) {
    return fail('STS is not active in this region for the account: activate it, or set AWS_REGION');
  }
  if (/^AccessDenied/.test(name)) return createAccessDeniedError(cause, role, whose, words);
  const ofSignature = toSignatureError(cause, 'STS', whose);
  if (ofSignature) return ofSignature;
  if (/Validation/.test(name)) return fail('STS does not accept what was asked');
  return fail('STS could not be asked; check the network and try again');
}

/**
 * STS returns the same error for a missing permission and a missing trust. This function uses the
 * message text and the account IDs to find the cause.
 */
function createAccessDeniedError(
  cause: unknown,
  role: RoleStep,
  whose: string,
  words: string,
): AgentCoreError {
  const caller = /User: (arn:\S+)/.exec(words)?.[1];
  const action = /perform: (sts:\w+)/.exec(words)?.[1] ?? 'sts:AssumeRole';
  const isOwnAccount = caller?.split(':')[4] === role.arn.split(':')[4];
  const sides = {
    caller: createCallerStatement(role, action),
    trust: createTrustStatement(role, action, caller),
  };
  const who = caller ?? `the principal ${whose}`;
  const allowCaller = `allow ${who} to do it, by this statement in one of its policies: ${serializeStatement(sides.caller)}`;
  const allowTrust = `have the role trust it, by this statement in the trust policy of the role: ${serializeStatement(sides.trust)}`;
  const begin = `Could not assume ${role.arn}`;
  const fail = (sentence: string, statements: readonly MissingStatement[]) =>
    createCredentialsError(
      `${begin}: ${sentence}${describeOtherConditions(role, action)} (${words})`,
      {
        cause,
        statements,
      },
    );
  if (/explicit deny/.test(words)) {
    return fail('a policy denies it, and no statement outweighs that; have the Deny changed', []);
  }
  if (/no (identity-based|session|permissions boundary)/i.test(words)) {
    return fail(`the sts:AssumeRole permission is missing; ${allowCaller}`, [sides.caller]);
  }
  if (/no (role trust|resource-based) policy/i.test(words)) {
    return fail(`the trust policy does not allow it; ${allowTrust}`, [sides.trust]);
  }
  if (isOwnAccount) {
    return fail(
      `within an account a trust policy that names the caller suffices, so ${allowTrust} – or, where the trust policy names the whole account, ${allowCaller}`,
      [sides.trust, sides.caller],
    );
  }
  return fail(
    `from another account both the sts:AssumeRole permission and the trust policy of the role must allow it; ${allowCaller} – and ${allowTrust}`,
    [sides.caller, sides.trust],
  );
}

/** Trust policy conditions that STS does not mention in its error message. */
function describeOtherConditions(role: RoleStep, action: string): string {
  if (action !== 'sts:AssumeRole') return '';
  const external = role.externalId
    ? 'the external id may be another than the trust policy wants'
    : 'the trust policy may want an external id (AGENTCORE_ASSUME_ROLE_EXTERNAL_ID, or external_id in the profile)';
  return role.mfaSerial ? `; ${external}` : `; ${external} or MFA`;
}

function createCallerStatement(role: RoleStep, action: string): MissingStatement {
  const actions = getRequiredActions(role, action);
  return { of: 'caller', statement: { Effect: 'Allow', Action: actions, Resource: role.arn } };
}

function createTrustStatement(
  role: RoleStep,
  action: string,
  caller: string | undefined,
): MissingStatement {
  const conditions = {
    // A placeholder, because error messages can end up in logs. The user knows the external ID.
    ...(role.externalId && { StringEquals: { 'sts:ExternalId': 'THE_EXTERNAL_ID' } }),
    ...(role.mfaSerial && { Bool: { 'aws:MultiFactorAuthPresent': 'true' } }),
  };
  const { principal, condition } = toPrincipal(caller);
  const Condition = { ...conditions, ...condition };
  const statement = {
    Effect: 'Allow',
    Principal: { AWS: principal },
    Action: getRequiredActions(role, action),
    ...(Object.keys(Condition).length > 0 && { Condition }),
  };
  return { of: 'trust', statement };
}

function getRequiredActions(role: RoleStep, action: string): string | readonly string[] {
  const needsIdentity = role.sourceIdentity !== undefined || action === 'sts:SetSourceIdentity';
  return needsIdentity ? ['sts:AssumeRole', 'sts:SetSourceIdentity'] : 'sts:AssumeRole';
}

function toPrincipal(caller: string | undefined): TrustedPrincipal {
  if (caller === undefined) return { principal: 'ARN_OF_THE_CALLER' };
  return toTrustedPrincipal(caller) ?? { principal: caller };
}

function serializeStatement({ statement }: MissingStatement): string {
  return JSON.stringify(statement);
}
