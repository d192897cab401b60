import { AgentCoreError } from '../../error.ts';
import {
  type Conditions,
  createPolicyDocument,
  type TrustPolicy,
  type TrustStatement,
  toPolicyValue,
} from './policy-document.ts';

/** A trusted principal and its conditions. */
interface Trust {
  /** The ARN of a user, role or assumed role, or an account by its ID or root ARN. */
  readonly principal: string;
  readonly externalId?: string | undefined;
  /** Requires a login with an MFA device. */
  readonly mfa?: boolean | undefined;
  /** Whether callers may set a source identity. */
  readonly sourceIdentity?: boolean | undefined;
}

const ROLE = /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/;

const PRINCIPAL = /^arn:(aws[a-z-]*):(iam|sts)::(\d{12}):(root|(user|role|assumed-role)\/(.+))$/;

const SSO_ROLE = /^AWSReservedSSO_/;

const SSO_PATH = 'aws-reserved/sso.amazonaws.com/';

/** @throws {AgentCoreError} `usage` */
export function parseRoleArn(text: string): string {
  if (ROLE.test(text.trim())) return text.trim();
  throw new AgentCoreError(
    'usage',
    `Not the ARN of a role, expected arn:aws:iam::ACCOUNT:role/NAME: ${text}`,
  );
}

/**
 * Creates the trust policy of a role.
 *
 * @param partition The role's partition, for an account given by its ID.
 * @throws {AgentCoreError} `usage` if the principal is invalid.
 */
export function createTrustPolicy(trust: Trust, partition = 'aws'): TrustPolicy {
  const { principal, condition } = parseTrustedPrincipal(trust.principal, partition);
  const base = { Effect: 'Allow', Principal: { AWS: principal } } as const;
  const terms: Conditions = {
    ...condition,
    ...(trust.externalId && { StringEquals: { 'sts:ExternalId': trust.externalId } }),
    ...(trust.mfa && { Bool: { 'aws:MultiFactorAuthPresent': 'true' } }),
  };
  const statements: TrustStatement[] = [
    {
      Sid: 'AssumeRole',
      ...base,
      Action: 'sts:AssumeRole',
      ...(Object.keys(terms).length > 0 && { Condition: terms }),
    },
  ];
  // A separate statement: alone it grants no access, and the conditions above may not apply to it.
  if (trust.sourceIdentity) {
    statements.push({
      Sid: 'SetSourceIdentity',
      ...base,
      Action: toPolicyValue(['sts:SetSourceIdentity']),
      ...(condition && { Condition: condition }),
    });
  }
  return createPolicyDocument(statements);
}

/** A principal in a trust policy, and the condition that limits it. */
export interface TrustedPrincipal {
  readonly principal: string;
  readonly condition?: Conditions;
}

function parseTrustedPrincipal(text: string, ofRole: string): TrustedPrincipal {
  const principal = text.trim();
  if (/^\d{12}$/.test(principal)) return { principal: `arn:${ofRole}:iam::${principal}:root` };
  const trusted = toTrustedPrincipal(principal);
  if (trusted) return trusted;
  throw new AgentCoreError(
    'usage',
    `Not a principal that a role can trust, expected the ARN of a user or role, or an account's twelve digits: ${text}`,
  );
}

/**
 * Converts the ARN of a principal for a trust policy. A session is replaced by its role. For a role
 * of IAM Identity Center, patterns are used, because session ARNs omit the role's path. Returns
 * `undefined` if a role cannot trust the principal.
 *
 * Source: "Referencing permission sets in resource policies" in the IAM Identity Center User Guide.
 * The path ends with the region of IAM Identity Center, but not for us-east-1.
 */
export function toTrustedPrincipal(principal: string): TrustedPrincipal | undefined {
  const [, partition, service, account, whole = '', kind, path = ''] =
    PRINCIPAL.exec(principal) ?? [];
  const belongs = (service === 'sts') === (kind === 'assumed-role');
  if (!partition || !belongs) return undefined;
  if (whole === 'root' || kind === 'user') return { principal };
  const role = kind === 'role' ? path : (path.split('/')[0] as string);
  const name = role.slice(role.lastIndexOf('/') + 1);
  if (SSO_ROLE.test(name) && !role.startsWith(SSO_PATH)) {
    const base = `arn:${partition}:iam::${account}:role/${SSO_PATH}`;
    return {
      principal: `arn:${partition}:iam::${account}:root`,
      condition: { ArnLike: { 'aws:PrincipalArn': [`${base}*/${name}`, `${base}${name}`] } },
    };
  }
  return { principal: `arn:${partition}:iam::${account}:role/${role}` };
}
