import type { PlatformError } from '../answers/platform-error.ts';
import type { Principal } from '../signatures/identity.ts';
import { trusts } from './trust.ts';

/** What a principal wants to act on. */
export interface Resource {
  readonly arn: string;
  readonly account: string;
  /** Whom its resource-based policy lets in from other accounts. */
  readonly trustedPrincipals?: readonly string[];
}

/**
 * The refusal of the first action that a principal may not take; `undefined` where it may do all.
 * As in IAM, what is denied comes before what is allowed, and a principal of another account needs
 * the resource's consent besides.
 */
export function denial(
  principal: Principal,
  actions: readonly string[],
  resource: Resource,
): PlatformError | undefined {
  for (const action of actions) {
    const cause = causeOf(principal, action, resource);
    if (!cause) continue;
    const message = `User: ${principal.arn} is not authorized to perform: ${action} on resource: ${resource.arn} ${cause}`;
    return { kind: 'access-denied', message };
  }
  return undefined;
}

function causeOf(principal: Principal, action: string, resource: Resource): string | undefined {
  switch (identityPolicy(principal, action)) {
    case 'denies':
      return 'with an explicit deny in an identity-based policy';
    case 'silent':
      return `because no identity-based policy allows the ${action} action`;
    case 'allows':
      break;
  }
  const { account, trustedPrincipals = [] } = resource;
  if (principal.account === account || trusts(trustedPrincipals, principal)) return undefined;
  return `because no resource-based policy allows the ${action} action`;
}

/** What the policies of a principal say of an action. */
export function identityPolicy(
  { allowed, denied }: Pick<Principal, 'allowed' | 'denied'>,
  action: string,
): 'denies' | 'silent' | 'allows' {
  if (denied.some((pattern) => matches(pattern, action))) return 'denies';
  if (allowed && !allowed.some((pattern) => matches(pattern, action))) return 'silent';
  return 'allows';
}

/** IAM's wildcards; letter case has no meaning in an action. */
function matches(pattern: string, action: string): boolean {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  const source = escaped.replaceAll('*', '.*').replaceAll('?', '.');
  return new RegExp(`^${source}$`, 'i').test(action);
}
