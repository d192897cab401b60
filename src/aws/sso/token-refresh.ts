import { withAbort } from '../../base/async.ts';
import { AgentCoreError } from '../../base/errors.ts';
import { DirectoryWatcher, withFileLock } from '../../base/files.ts';
import { Oidc } from './oidc-client.ts';
import { getOAuthErrorCode } from './service-client.ts';
import {
  formatLoginCommand,
  formatSsoSessionName,
  getClock,
  type SsoContext,
  type SsoSession,
} from './sso-session.ts';
import {
  getSsoCacheDirectory,
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

/** Polling interval in milliseconds, because some file systems do not report changes. */
const POLL_INTERVAL_MS = 1_000;

/**
 * Waits for a login by any program, such as this one in another window, or the AWS CLI.
 *
 * @param options.timeoutMs Milliseconds.
 * @throws {AgentCoreError} `credentials`, with the command to run, if there is no login in time.
 * @throws the signal's reason if the signal aborts.
 */
export async function waitForLogin(
  session: SsoSession,
  options: {
    readonly context: SsoContext;
    readonly signal: AbortSignal;
    readonly timeoutMs: number;
  },
): Promise<SsoToken> {
  const { context, signal, timeoutMs } = options;
  const late = AbortSignal.timeout(timeoutMs);
  try {
    return await waitForToken(session, context, () => true, AbortSignal.any([signal, late]));
  } catch (cause) {
    signal.throwIfAborted();
    throw new AgentCoreError(
      'credentials',
      `The login to ${formatSsoSessionName(session)} is missing or has expired, and there was no sign-in within ${Math.round(timeoutMs / 1000)} s: run "${formatLoginCommand(session)}"`,
      { cause },
    );
  }
}

/**
 * Resolves when a valid and wanted token is stored. Rejects with the signal's reason if the signal
 * aborts.
 */
export async function waitForToken(
  session: SsoSession,
  context: SsoContext,
  isWanted: (token: SsoToken) => boolean,
  signal: AbortSignal,
): Promise<SsoToken> {
  let found: (token: SsoToken) => void = () => {};
  const appeared = new Promise<SsoToken>((resolve) => {
    found = resolve;
  });
  const look = async () => {
    const token = await readToken(session, context.env);
    if (token && isValid(token, getClock(context).now()) && isWanted(token)) found(token);
  };
  const timer = setInterval(look, POLL_INTERVAL_MS);
  const watcher = new DirectoryWatcher(getSsoCacheDirectory(context.env), look);
  watcher.start();
  void look();
  try {
    return await withAbort(appeared, signal);
  } finally {
    clearInterval(timer);
    watcher.close();
  }
}
