import { createHash } from 'node:crypto';
import type { ResolvedConfig } from '../../config.ts';
import { createPrincipalId } from '../../signatures/access-keys.ts';
import type { Principal } from '../../signatures/identity.ts';
import type { SsoConfig, SsoRole } from './sso-config.ts';

/**
 * The principal of SSO role credentials. IAM Identity Center creates a role in the account, named
 * after the permission set and 16 hex digits. The session name is the user name.
 */
export function createReservedRolePrincipal(
  { partition, region: home }: ResolvedConfig,
  { region = home }: SsoConfig,
  account: string,
  roleName: string,
  { allowed, denied }: SsoRole,
  user: string,
): Principal {
  const digits = createHash('sha256').update(`${account}/${roleName}`).digest('hex').slice(0, 16);
  const name = `AWSReservedSSO_${roleName}_${digits}`;
  // The path omits the region us-east-1.
  const path = `aws-reserved/sso.amazonaws.com/${region === 'us-east-1' ? '' : `${region}/`}`;
  const roleId = createPrincipalId('AROA', `arn:${partition}:iam::${account}:role/${path}${name}`);
  return {
    arn: `arn:${partition}:sts::${account}:assumed-role/${name}/${user}`,
    account,
    userId: `${roleId}:${user}`,
    allowed,
    denied,
  };
}
