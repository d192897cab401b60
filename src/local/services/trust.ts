import type { Principal } from '../signatures/identity.ts';

/**
 * Whether a policy that names these trusts a principal: its ARN, that of its role, its account's
 * number or root ARN, or `*` for anyone.
 */
export function trusts(trusted: readonly string[], { arn, roleArn, account }: Principal): boolean {
  return trusted.some(
    (name) =>
      name === '*' ||
      name === account ||
      name === arn ||
      name === roleArn ||
      name.endsWith(`:iam::${account}:root`),
  );
}
