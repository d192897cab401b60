import { loginByBrowser } from './browser-login.ts';
import { loginByDevice } from './device-login.ts';
import { Oidc } from './oidc.ts';
import type { LoginPrompts } from './prompts.ts';
import { currentToken } from './refresh.ts';
import { clockOf, type SsoContext } from './sso-context.ts';
import { nameOf, type SsoSession } from './sso-session.ts';
import { readToken, type SsoToken, writeToken } from './token-cache.ts';
import { tokenAppears } from './wait-for-login.ts';

export interface LoginOptions {
  readonly context: SsoContext;
  /** Cancels at any moment; the login then rejects with its reason, and leaves nothing open. */
  readonly signal: AbortSignal;
  /** With a code at once, where the browser is on another machine. */
  readonly device?: boolean | undefined;
  /** Asks the person even where a login is good or can be renewed: AWS may have revoked it. */
  readonly force?: boolean | undefined;
}

/** How a login came about (`held`: it was good already), and until when it is good. */
export interface Login {
  readonly how: 'held' | 'renewed' | 'browser' | 'device' | 'elsewhere';
  readonly until: Date;
}

/**
 * Signs a person in to an SSO session, and puts the token where the AWS CLI and every SDK find it.
 * A login that is good, or can be renewed, asks nobody. While the person is asked, a login that any
 * other program makes counts as well.
 *
 * @throws {AgentCoreError} `credentials` where it is refused, `timeout` where nobody signs in,
 *   `connection` or `upstream` where Identity Center is not reached or fails; the signal's reason.
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
  const held = force ? undefined : await currentToken(session, context, signal);
  if (held) return { how: isNew(held) ? 'renewed' : 'held', until: held.expiresAt };
  const over = new AbortController();
  const ending = AbortSignal.any([signal, over.signal]);
  const asked = ask(session, prompts, options, ending);
  const elsewhere = tokenAppears(session, context, isNew, ending).then((token) => ({
    how: 'elsewhere' as const,
    token,
  }));
  try {
    const { how, token } = await Promise.race([asked, elsewhere]);
    // Not before the race is over: the watcher would take our own file for somebody else's.
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
  prompts.progress(`Signing in to ${nameOf(session)}`);
  const oidc = await Oidc.open(session, context);
  try {
    const token = device ? undefined : await loginByBrowser(oidc, session, prompts, signal);
    if (token) return { how: 'browser', token };
    const clock = clockOf(context);
    return { how: 'device', token: await loginByDevice(oidc, session, prompts, { signal, clock }) };
  } finally {
    oidc.close();
  }
}
