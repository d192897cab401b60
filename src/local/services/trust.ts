import type { Principal } from '../signatures/identity.ts';

/**
 * Whether `trusted` contains a principal: its ARN, its role's ARN, its account number, its
 * account's root ARN, or `*`.
 */
export function isTrusted(
  trusted: readonly string[],
  { arn, roleArn, account }: Principal,
): boolean {
  return trusted.some(
    (name) =>
      name === '*' ||
      name === account ||
      name === arn ||
      name === roleArn ||
      name.endsWith(`:iam::${account}:root`),
  );
}
