import { AgentCoreError } from '../../error.ts';
import type { Oidc } from './oidc.ts';
import type { LoginPrompts } from './prompts.ts';
import { refusalOf } from './service-call.ts';
import type { Clock } from './sso-context.ts';
import { loginCommand, nameOf, type SsoSession } from './sso-session.ts';
import type { Registration, SsoToken } from './token-cache.ts';

/** What RFC 8628 wants the pause between two questions to grow by, in milliseconds. */
const SLOWER = 5_000;

/**
 * Signs in with a code that a person types on a page, on whatever machine has a browser (the device
 * authorization grant).
 *
 * @throws {AgentCoreError} `credentials` where the person or Identity Center refuses, `timeout` where
 *   the code expires.
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
  // A dialog may stay open until it is answered, and the code be confirmed before.
  void (async () => prompts.showCode(code))().catch((thrown: unknown) => failing.abort(thrown));
  prompts.progress('Waiting for the code to be confirmed');
  const grant = { grantType: 'urn:ietf:params:oauth:grant-type:device_code', deviceCode };
  let interval = firstInterval;
  while (clock.now() < code.expiresAt.getTime()) {
    await clock.sleep(interval, ending);
    try {
      return await oidc.createToken(registration, grant, ending);
    } catch (thrown) {
      interval += delayAfter(thrown, session);
    }
  }
  throw expired(session);
}

/** Identity Center may have forgotten the client that is on file. */
async function start(oidc: Oidc, signal: AbortSignal) {
  const known = await oidc.registration('device', signal);
  const startWith = async (registration: Registration) => ({
    registration,
    authorization: await oidc.startDevice(registration, signal),
  });
  try {
    return await startWith(known);
  } catch (thrown) {
    if (refusalOf(thrown) !== 'invalid_client') throw thrown;
    await oidc.forgetRegistration('device');
    return await startWith(await oidc.registration('device', signal));
  }
}

/** What the pause grows by; throws what ends the login. */
function delayAfter(thrown: unknown, session: SsoSession): number {
  switch (refusalOf(thrown)) {
    case 'authorization_pending':
      return 0;
    case 'slow_down':
      return SLOWER;
    case 'expired_token':
      throw expired(session, thrown);
    case 'access_denied':
      throw new AgentCoreError(
        'credentials',
        `The sign-in to ${nameOf(session)} was denied: run "${loginCommand(session)}" to try again`,
        { cause: thrown },
      );
  }
  // A network that fails for a moment costs nobody the code that was typed already.
  const passes = ['connection', 'timeout', 'upstream'];
  if (thrown instanceof AgentCoreError && passes.includes(thrown.code)) return SLOWER;
  throw thrown;
}

function expired(session: SsoSession, cause?: unknown): AgentCoreError {
  return new AgentCoreError(
    'timeout',
    `The code expired before it was confirmed: run "${loginCommand(session)}" for a new one`,
    { cause },
  );
}
