import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { AgentCoreError } from '../../error.ts';
import { type CallbackAnswer, Loopback } from './loopback.ts';
import type { Oidc } from './oidc.ts';
import type { LoginPrompts } from './prompts.ts';
import { refusalOf, until } from './service-call.ts';
import { loginCommand, nameOf, type SsoSession } from './sso-session.ts';
import type { SsoToken } from './token-cache.ts';

/** Minutes that a person has on the sign-in page. */
const PATIENCE_MINUTES = 10;

/**
 * Signs in on a page that leads back to this machine (the authorization code grant with PKCE).
 *
 * @returns nothing where the page could not be shown, or could not lead back.
 * @throws {AgentCoreError} `credentials` where the person or Identity Center refuses, `timeout` where
 *   nobody signs in.
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
    const isShown = await until(signal, prompts.openBrowser(url)).catch((thrown) => {
      if (signal.aborted) throw thrown;
      return false;
    });
    if (!isShown) return undefined;
    prompts.progress('Waiting for the sign-in in the browser');
    const answer = await answerOf(loopback, session, signal);
    return await finished(answer, async () => {
      const code = codeOf(answer, session);
      prompts.progress('Finishing the sign-in');
      const grant = { grantType: 'authorization_code', code, codeVerifier, redirectUri };
      return oidc.createToken(registration, grant, signal);
    });
  } catch (thrown) {
    // A client that Identity Center no longer knows gets an error page, which leads nowhere.
    const isUnknown = thrown instanceof AgentCoreError && thrown.code === 'timeout';
    if (isUnknown || refusalOf(thrown) === 'invalid_client') {
      await oidc.forgetRegistration('browser');
    }
    throw thrown;
  } finally {
    loopback.close();
  }
}

async function answerOf(
  loopback: Loopback,
  session: SsoSession,
  signal: AbortSignal,
): Promise<CallbackAnswer> {
  const late = AbortSignal.timeout(PATIENCE_MINUTES * 60_000);
  try {
    return await until(AbortSignal.any([signal, late]), loopback.answer);
  } catch (cause) {
    signal.throwIfAborted();
    throw new AgentCoreError(
      'timeout',
      `Nobody signed in to ${nameOf(session)} within ${PATIENCE_MINUTES} minutes: run "${loginCommand(session)}" to start again`,
      { cause },
    );
  }
}

/** The browser's page says how things ended, so it comes last. */
async function finished<T>(answer: CallbackAnswer, work: () => Promise<T>): Promise<T> {
  let isSignedIn = false;
  try {
    const result = await work();
    isSignedIn = true;
    return result;
  } finally {
    await answer.finish(isSignedIn);
  }
}

function codeOf({ code, refusal }: CallbackAnswer, session: SsoSession): string {
  if (code !== undefined) return code;
  throw new AgentCoreError(
    'credentials',
    `The sign-in to ${nameOf(session)} was refused (${refusal}): run "${loginCommand(session)}" to try again`,
  );
}
