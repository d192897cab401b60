import { AgentCoreError } from '../../error.ts';
import type { Oidc } from './oidc.ts';
import type { LoginPrompts } from './prompts.ts';
import { getOAuthErrorCode } from './service-call.ts';
import type { Clock } from './sso-context.ts';
import { formatLoginCommand, formatSsoSessionName, type SsoSession } from './sso-session.ts';
import type { Registration, SsoToken } from './token-cache.ts';

/** Increase of the polling interval after `slow_down` (RFC 8628), in milliseconds. */
const SLOWER = 5_000;

/**
 * Signs in with a code that the user enters on a page, in a browser on any machine (the device
 * authorization grant).
 *
 * @throws {AgentCoreError} `credentials` if the user or Identity Center denies access, `timeout` if
 * the code expires.
 */
export async function loginByDevice(
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
      return SLOWER;
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
  if (thrown instanceof AgentCoreError && passes.includes(thrown.code)) return SLOWER;
  throw thrown;
}

function createCodeExpiredError(session: SsoSession, cause?: unknown): AgentCoreError {
  return new AgentCoreError(
    'timeout',
    `The code expired before it was confirmed: run "${formatLoginCommand(session)}" for a new one`,
    { cause },
  );
}
