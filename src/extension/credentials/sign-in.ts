import * as vscode from 'vscode';
import type { SsoChoice, SsoSession } from '../../aws/sso/sso-session.ts';
import type { Environment } from '../../base/environment.ts';
import { WindowLoginPrompts } from './person.ts';

/** Sign-in timeout in milliseconds. */
const SIGN_IN_TIMEOUT_MS = 10 * 60_000;

/**
 * Signs the user in to an SSO session, with a progress notification. The session is that of a
 * profile, a named one, or a new one without an entry in a file. If the login is valid or
 * refreshable, shows no prompt.
 *
 * @returns the expiry of the login, or `undefined` if the user cancelled.
 * @throws {AgentCoreError} like `login`.
 */
export async function signIn(
  choice: SsoChoice | { readonly session: SsoSession },
  options: {
    readonly env: Environment;
    readonly signal?: AbortSignal | undefined;
    /** Forces a new sign-in, because AWS may have revoked a valid-looking login. */
    readonly force?: boolean | undefined;
  },
): Promise<Date | undefined> {
  const { env, signal, force } = options;
  const [{ login }, { findSsoSession, formatSsoSessionName: nameOf }, { openNetwork }] =
    await Promise.all([
      import('../../aws/sso/login.ts'),
      import('../../aws/sso/sso-session.ts'),
      import('../../aws/endpoints.ts'),
    ]);
  const session = 'session' in choice ? choice.session : await findSsoSession(choice, env);
  return vscode.window.withProgress(
    {
      location: vscode.ProgressLocation.Notification,
      title: vscode.l10n.t('Signing in to {0}', nameOf(session)),
      cancellable: true,
    },
    async (progress, token) => {
      const ending = new AbortController();
      token.onCancellationRequested(() => ending.abort());
      const within = AbortSignal.timeout(SIGN_IN_TIMEOUT_MS);
      const all = AbortSignal.any([ending.signal, within, ...(signal ? [signal] : [])]);
      const prompts = new WindowLoginPrompts(progress, () => ending.abort());
      try {
        const { until } = await login(session, prompts, {
          context: { env, network: await openNetwork(session.profile, env) },
          signal: all,
          device: vscode.env.remoteName !== undefined || vscode.env.uiKind === vscode.UIKind.Web,
          force,
        });
        return until;
      } catch (thrown) {
        if (ending.signal.aborted || signal?.aborted) return undefined;
        throw thrown;
      }
    },
  );
}
