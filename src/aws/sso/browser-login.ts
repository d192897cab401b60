import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { AgentCoreError } from '../../error.ts';
import { type CallbackAnswer, Loopback } from './loopback.ts';
import type { Oidc } from './oidc.ts';
import type { LoginPrompts } from './prompts.ts';
import { getOAuthErrorCode, rejectOnAbort } from './service-call.ts';
import { formatLoginCommand, formatSsoSessionName, type SsoSession } from './sso-session.ts';
import type { SsoToken } from './token-cache.ts';

/** Maximum minutes for the user to sign in. */
const LOGIN_TIMEOUT_MINUTES = 10;

/**
 * Signs in on a page with a redirect to this machine (the authorization code grant with PKCE).
 *
 * @returns `undefined` if the page could not be opened, or the redirect server could not start.
 * @throws {AgentCoreError} `credentials` if the user or Identity Center denies access, `timeout` if
 * the user does not sign in.
 */
export async function loginByBrowser(
  oidc: Oidc,
  session: SsoSession,
  prompts: LoginPrompts,
  signal: AbortSignal,
): Promise<SsoToken | undefined> {
  const registration = await oidc.registration('browser', signal);
  const state = randomUUID();
  const codeVerifier = randomBytes(32).toString('base64url');
  const challenge = createHash('sha256').update(codeVerifier).digest('base64url');
  const loopback = await Loopback.listen(state).catch(() => undefined);
  if (!loopback) return undefined;
  try {
    const { redirectUri } = loopback;
    const url = oidc.authorizationUrl(registration, { redirectUri, state, challenge });
    const isShown = await rejectOnAbort(signal, prompts.openBrowser(url)).catch((thrown) => {
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
  loopback: Loopback,
  session: SsoSession,
  signal: AbortSignal,
): Promise<CallbackAnswer> {
  const late = AbortSignal.timeout(LOGIN_TIMEOUT_MINUTES * 60_000);
  try {
    return await rejectOnAbort(AbortSignal.any([signal, late]), loopback.answer);
  } catch (cause) {
    signal.throwIfAborted();
    throw new AgentCoreError(
      'timeout',
      `Nobody signed in to ${formatSsoSessionName(session)} within ${LOGIN_TIMEOUT_MINUTES} minutes: run "${formatLoginCommand(session)}" to start again`,
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
