import type { PlatformError } from '../answers/platform-error.ts';
import type { Principal } from '../signatures/identity.ts';

/** The refusal of the first action that a principal may not take; `undefined` where it may do all. */
export function denial(
  { arn, denied }: Principal,
  actions: readonly string[],
  resource: string,
): PlatformError | undefined {
  const refused = actions.find((action) => denied.includes(action));
  if (refused === undefined) return undefined;
  return {
    kind: 'access-denied',
    message: `User: ${arn} is not authorized to perform: ${refused} on resource: ${resource} because no identity-based policy allows the ${refused} action`,
  };
}
