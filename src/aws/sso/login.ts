import { loginByBrowser } from './browser-login.ts';
import { loginByDevice } from './device-login.ts';
import { Oidc } from './oidc.ts';
import type { LoginPrompts } from './prompts.ts';
import { getCurrentToken } from './refresh.ts';
import { getClock, type SsoContext } from './sso-context.ts';
import { formatSsoSessionName, type SsoSession } from './sso-session.ts';
import { readToken, type SsoToken, writeToken } from './token-cache.ts';
import { waitForToken } from './wait-for-login.ts';

interface LoginOptions {
  readonly context: SsoContext;
  /** Cancels the login. It then rejects with the signal's reason and closes all resources. */
  readonly signal: AbortSignal;
  /** Uses the device code directly, for a browser on another machine. */
  readonly device?: boolean | undefined;
  /** Prompts the user even if a login is valid or refreshable: AWS may have revoked it. */
  readonly force?: boolean | undefined;
}

/** The method of a login and its expiry. `held` means an existing valid login. */
export interface Login {
  readonly how: 'held' | 'renewed' | 'browser' | 'device' | 'elsewhere';
  readonly until: Date;
}

/**
 * Signs the user in to an SSO session, and stores the token where the AWS CLI and every SDK find
 * it. If a login is valid or refreshable, the user is not prompted. During the prompt, a login by
 * another program also counts.
 *
 * @throws {AgentCoreError} `credentials` if access is denied, `timeout` if the user does not sign
 * in, `connection` or `upstream` if Identity Center is unreachable or fails.
 * @throws the signal's reason if the signal aborts.
 */
export async function login(
  session: SsoSession,
  prompts: LoginPrompts,
  options: LoginOptions,
): Promise<Login> {
  const { context, signal, force = false } = options;
  signal.throwIfAborted();
  const before = await readToken(session, context.env);
  const isNew = ({ accessToken }: SsoToken) => accessToken !== before?.accessToken;
  const held = force ? undefined : await getCurrentToken(session, context, signal);
  if (held) return { how: isNew(held) ? 'renewed' : 'held', until: held.expiresAt };
  const over = new AbortController();
  const ending = AbortSignal.any([signal, over.signal]);
  const asked = ask(session, prompts, options, ending);
  const elsewhere = waitForToken(session, context, isNew, ending).then((token) => ({
    how: 'elsewhere' as const,
    token,
  }));
  try {
    const { how, token } = await Promise.race([asked, elsewhere]);
    // Write only after the race. Otherwise the watcher would take this file for another program's.
    if (how !== 'elsewhere') await writeToken(session, token, context.env);
    return { how, until: token.expiresAt };
  } finally {
    over.abort();
    await Promise.allSettled([asked, elsewhere]);
  }
}

async function ask(
  session: SsoSession,
  prompts: LoginPrompts,
  { context, device = false }: LoginOptions,
  signal: AbortSignal,
): Promise<{ readonly how: 'browser' | 'device'; readonly token: SsoToken }> {
  prompts.progress(`Signing in to ${formatSsoSessionName(session)}`);
  const oidc = await Oidc.open(session, context);
  try {
    const token = device ? undefined : await loginByBrowser(oidc, session, prompts, signal);
    if (token) return { how: 'browser', token };
    const clock = getClock(context);
    return { how: 'device', token: await loginByDevice(oidc, session, prompts, { signal, clock }) };
  } finally {
    oidc.close();
  }
}
