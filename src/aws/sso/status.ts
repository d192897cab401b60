import { getClock, type SsoContext } from './sso-context.ts';
import type { SsoSession } from './sso-session.ts';
import { isRefreshable, isValid, readToken } from './token-cache.ts';

/** The state of a login, for views. */
export type LoginStatus =
  | { readonly state: 'signed-out' }
  | {
      /** `refreshable`: expired, but the next use refreshes it without the user. */
      readonly state: 'signed-in' | 'refreshable' | 'expired';
      readonly until: Date;
      /** Whether it can be refreshed after `until` without the user, based on the stored data. */
      readonly isRefreshable: boolean;
    };

/** Reads the login state from the stored token only. A login revoked by AWS still appears valid. */
export async function readLoginStatus(
  session: SsoSession,
  context: Pick<SsoContext, 'env' | 'clock'>,
): Promise<LoginStatus> {
  const now = getClock(context).now();
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
