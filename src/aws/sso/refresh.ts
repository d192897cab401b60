import { AgentCoreError } from '../../error.ts';
import { Oidc } from './oidc.ts';
import { withFileLock } from './private-file.ts';
import { getOAuthErrorCode } from './service-call.ts';
import { getClock, type SsoContext } from './sso-context.ts';
import { formatLoginCommand, formatSsoSessionName, type SsoSession } from './sso-session.ts';
import {
  getTokenPath,
  isDue,
  isRefreshable,
  isValid,
  readToken,
  type SsoToken,
  writeToken,
} from './token-cache.ts';

/**
 * Returns the session's login, refreshed if it has expired or is about to. Only one program
 * refreshes at a time, because Identity Center may accept a refresh token only once.
 *
 * @returns `undefined` if the user has to sign in.
 * @throws {AgentCoreError} `connection`, `timeout` or `upstream` if the refresh failed and the
 * stored login has expired.
 * @throws the signal's reason if the signal aborts.
 */
export async function getCurrentToken(
  session: SsoSession,
  context: SsoContext,
  signal: AbortSignal,
): Promise<SsoToken | undefined> {
  const now = getClock(context).now();
  const token = await readToken(session, context.env);
  if (!token || !isDue(token, now)) return token;
  if (!isRefreshable(token, now)) return isValid(token, now) ? token : undefined;
  return withFileLock(getTokenPath(session, context.env), signal, () =>
    renewToken(session, context, signal),
  );
}

/** @throws {AgentCoreError} `credentials`, with the command to run, if no user is signed in. */
export async function requireToken(
  session: SsoSession,
  context: SsoContext,
  signal: AbortSignal,
): Promise<SsoToken> {
  const token = await getCurrentToken(session, context, signal);
  if (token) return token;
  throw new AgentCoreError(
    'credentials',
    `Not signed in to ${formatSsoSessionName(session)}: run "${formatLoginCommand(session)}"`,
  );
}

async function renewToken(
  session: SsoSession,
  context: SsoContext,
  signal: AbortSignal,
): Promise<SsoToken | undefined> {
  const { env } = context;
  const now = getClock(context).now();
  // The previous lock holder may have refreshed it.
  const token = await readToken(session, env);
  if (!token || !isDue(token, now)) return token;
  const { registration, refreshToken } = token;
  const usable = isValid(token, now) ? token : undefined;
  if (!registration || refreshToken === undefined) return usable;
  const oidc = await Oidc.open(session, context);
  try {
    const grant = { grantType: 'refresh_token', refreshToken };
    const next = await oidc.createToken(registration, grant, signal);
    await writeToken(session, next, env);
    return next;
  } catch (thrown) {
    signal.throwIfAborted();
    // A program without this lock may have refreshed it first.
    const found = await readToken(session, env);
    if (found && found.accessToken !== token.accessToken && isValid(found, now)) return found;
    if (usable || getOAuthErrorCode(thrown) !== undefined) return usable;
    throw thrown;
  } finally {
    oidc.close();
  }
}
