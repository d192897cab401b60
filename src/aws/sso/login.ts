import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { type Clock, withAbort } from '../../base/async.ts';
import { AgentCoreError } from '../../base/errors.ts';
import { type CallbackAnswer, CallbackServer } from './callback-server.ts';
import { Oidc } from './oidc-client.ts';
import { getOAuthErrorCode } from './service-client.ts';
import {
  formatLoginCommand,
  formatSsoSessionName,
  getClock,
  type LoginPrompts,
  type SsoContext,
  type SsoSession,
} from './sso-session.ts';
import { type Registration, readToken, type SsoToken, writeToken } from './token-cache.ts';
import { getCurrentToken, waitForToken } from './token-refresh.ts';

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
 * Signs the user in to an SSO session, and stores the token in the cache of the AWS CLI and the
 * SDKs. If a login is valid or refreshable, the user is not prompted. During the prompt, a login by
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

/** Maximum minutes for the user to sign in. */
const LOGIN_TIMEOUT_MINUTES = 10;

/**
 * Signs in on a page with a redirect to this machine (the authorization code grant with PKCE).
 *
 * @returns `undefined` if the page could not be opened, or the redirect server could not start.
 * @throws {AgentCoreError} `credentials` if the user or Identity Center denies access, `timeout` if
 * the user does not sign in.
 */
async function loginByBrowser(
  oidc: Oidc,
  session: SsoSession,
  prompts: LoginPrompts,
  signal: AbortSignal,
): Promise<SsoToken | undefined> {
  const registration = await oidc.registration('browser', signal);
  const state = randomUUID();
  const codeVerifier = randomBytes(32).toString('base64url');
  const challenge = createHash('sha256').update(codeVerifier).digest('base64url');
  const loopback = await CallbackServer.listen(state).catch(() => undefined);
  if (!loopback) return undefined;
  try {
    const { redirectUri } = loopback;
    const url = oidc.authorizationUrl(registration, { redirectUri, state, challenge });
    const isShown = await withAbort(prompts.openBrowser(url), signal).catch((thrown) => {
      if (signal.aborted) throw thrown;
      return false;
    });
    if (!isShown) return undefined;
    prompts.progress('Waiting for the sign-in in the browser');
    const answer = await waitForCallback(loopback, session, signal);
    return await runAndFinish(answer, async () => {
      const code = getAuthorizationCode(answer, session);
      prompts.progress('Finishing the sign-in');
      const grant = { grantType: 'authorization_code', code, codeVerifier, redirectUri };
      return oidc.createToken(registration, grant, signal);
    });
  } catch (thrown) {
    // If Identity Center no longer has the client, it shows an error page without a redirect.
    const isUnknown = thrown instanceof AgentCoreError && thrown.code === 'timeout';
    if (isUnknown || getOAuthErrorCode(thrown) === 'invalid_client') {
      await oidc.forgetRegistration('browser');
    }
    throw thrown;
  } finally {
    loopback.close();
  }
}

async function waitForCallback(
  loopback: CallbackServer,
  session: SsoSession,
  signal: AbortSignal,
): Promise<CallbackAnswer> {
  const late = AbortSignal.timeout(LOGIN_TIMEOUT_MINUTES * 60_000);
  try {
    return await withAbort(loopback.answer, AbortSignal.any([signal, late]));
  } catch (cause) {
    signal.throwIfAborted();
    throw new AgentCoreError(
      'timeout',
      `There was no sign-in to ${formatSsoSessionName(session)} within ${LOGIN_TIMEOUT_MINUTES} minutes: run "${formatLoginCommand(session)}" to start again`,
      { cause },
    );
  }
}

/** Finishes last, because the browser page shows the result. */
async function runAndFinish<T>(answer: CallbackAnswer, work: () => Promise<T>): Promise<T> {
  let isSignedIn = false;
  try {
    const result = await work();
    isSignedIn = true;
    return result;
  } finally {
    await answer.finish(isSignedIn);
  }
}

function getAuthorizationCode({ code, refusal }: CallbackAnswer, session: SsoSession): string {
  if (code !== undefined) return code;
  throw new AgentCoreError(
    'credentials',
    `The sign-in to ${formatSsoSessionName(session)} was refused (${refusal}): run "${formatLoginCommand(session)}" to try again`,
  );
}

/** Increase of the polling interval after `slow_down` (RFC 8628), in milliseconds. */
const SLOW_DOWN_MS = 5_000;

/**
 * Signs in with a code that the user enters on a page, in a browser on any machine (the device
 * authorization grant).
 *
 * @throws {AgentCoreError} `credentials` if the user or Identity Center denies access, `timeout` if
 * the code expires.
 */
async function loginByDevice(
  oidc: Oidc,
  session: SsoSession,
  prompts: LoginPrompts,
  { signal, clock }: { readonly signal: AbortSignal; readonly clock: Clock },
): Promise<SsoToken> {
  const { registration, authorization } = await start(oidc, signal);
  const { deviceCode, interval: firstInterval, ...code } = authorization;
  const failing = new AbortController();
  const ending = AbortSignal.any([signal, failing.signal]);
  // Do not wait: a dialog may stay open after the user confirms the code.
  void (async () => prompts.showCode(code))().catch((thrown: unknown) => failing.abort(thrown));
  prompts.progress('Waiting for the code to be confirmed');
  const grant = { grantType: 'urn:ietf:params:oauth:grant-type:device_code', deviceCode };
  let interval = firstInterval;
  while (clock.now() < code.expiresAt.getTime()) {
    await clock.sleep(interval, ending);
    try {
      return await oidc.createToken(registration, grant, ending);
    } catch (thrown) {
      interval += getPollDelay(thrown, session);
    }
  }
  throw createCodeExpiredError(session);
}

/** Retries with a new client if Identity Center no longer has the stored one. */
async function start(oidc: Oidc, signal: AbortSignal) {
  const known = await oidc.registration('device', signal);
  const startWith = async (registration: Registration) => ({
    registration,
    authorization: await oidc.startDevice(registration, signal),
  });
  try {
    return await startWith(known);
  } catch (thrown) {
    if (getOAuthErrorCode(thrown) !== 'invalid_client') throw thrown;
    await oidc.forgetRegistration('device');
    return await startWith(await oidc.registration('device', signal));
  }
}

/** Returns the increase of the polling interval. Throws if the login has failed. */
function getPollDelay(thrown: unknown, session: SsoSession): number {
  switch (getOAuthErrorCode(thrown)) {
    case 'authorization_pending':
      return 0;
    case 'slow_down':
      return SLOW_DOWN_MS;
    case 'expired_token':
      throw createCodeExpiredError(session, thrown);
    case 'access_denied':
      throw new AgentCoreError(
        'credentials',
        `The sign-in to ${formatSsoSessionName(session)} was denied: run "${formatLoginCommand(session)}" to try again`,
        { cause: thrown },
      );
  }
  // A short network failure must not end the login, because the user may have entered the code
  // already.
  const passes = ['connection', 'timeout', 'upstream'];
  if (thrown instanceof AgentCoreError && passes.includes(thrown.code)) return SLOW_DOWN_MS;
  throw thrown;
}

function createCodeExpiredError(session: SsoSession, cause?: unknown): AgentCoreError {
  return new AgentCoreError(
    'timeout',
    `The code expired before it was confirmed: run "${formatLoginCommand(session)}" for a new one`,
    { cause },
  );
}
