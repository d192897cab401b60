import { clockOf, type SsoContext } from './sso-context.ts';
import type { SsoSession } from './sso-session.ts';
import { isRefreshable, isValid, readToken } from './token-cache.ts';

/** How a login stands, for views. */
export type LoginStatus =
  | { readonly state: 'signed-out' }
  | {
      /** `refreshable`: it has expired, but whoever uses it next renews it, asking nobody. */
      readonly state: 'signed-in' | 'refreshable' | 'expired';
      readonly until: Date;
      /** Whether it goes on after `until` without a person, as far as is known here. */
      readonly isRefreshable: boolean;
    };

/** Reads how a login stands, without asking anybody: what AWS revoked still looks good. */
export async function loginStatus(
  session: SsoSession,
  context: Pick<SsoContext, 'env' | 'clock'>,
): Promise<LoginStatus> {
  const now = clockOf(context).now();
  const token = await readToken(session, context.env);
  if (!token) return { state: 'signed-out' };
  const renews = isRefreshable(token, now);
  const expired = renews ? 'refreshable' : 'expired';
  return {
    state: isValid(token, now) ? 'signed-in' : expired,
    until: token.expiresAt,
    isRefreshable: renews,
  };
}
