import type { PlatformError } from '../answers/platform-error.ts';
import type { Principal } from '../signatures/identity.ts';
import { isTrusted } from './trust.ts';

/** The target of an action. */
interface Resource {
  readonly arn: string;
  readonly account: string;
  /** Principals of other accounts that its resource-based policy allows. */
  readonly trustedPrincipals?: readonly string[];
}

/**
 * Returns the refusal of the first action that is not allowed; `undefined` if all are allowed. As
 * in IAM, a deny overrides an allow. A principal of another account also needs a resource-based
 * policy.
 */
export function findDenial(
  principal: Principal,
  actions: readonly string[],
  resource: Resource,
): PlatformError | undefined {
  for (const action of actions) {
    const cause = findDenialCause(principal, action, resource);
    if (!cause) continue;
    const message = `User: ${principal.arn} is not authorized to perform: ${action} on resource: ${resource.arn} ${cause}`;
    return { kind: 'access-denied', message };
  }
  return undefined;
}

function findDenialCause(
  principal: Principal,
  action: string,
  resource: Resource,
): string | undefined {
  switch (evaluateIdentityPolicy(principal, action)) {
    case 'denies':
      return 'with an explicit deny in an identity-based policy';
    case 'silent':
      return `because no identity-based policy allows the ${action} action`;
    case 'allows':
      break;
  }
  const { account, trustedPrincipals = [] } = resource;
  if (principal.account === account || isTrusted(trustedPrincipals, principal)) return undefined;
  return `because no resource-based policy allows the ${action} action`;
}

/** The effect of a principal's policies on an action. */
export function evaluateIdentityPolicy(
  { allowed, denied }: Pick<Principal, 'allowed' | 'denied'>,
  action: string,
): 'denies' | 'silent' | 'allows' {
  if (denied.some((pattern) => matchesAction(pattern, action))) return 'denies';
  if (allowed && !allowed.some((pattern) => matchesAction(pattern, action))) return 'silent';
  return 'allows';
}

/** Matches IAM wildcards. Actions are case-insensitive. */
function matchesAction(pattern: string, action: string): boolean {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  const source = escaped.replaceAll('*', '.*').replaceAll('?', '.');
  return new RegExp(`^${source}$`, 'i').test(action);
}
