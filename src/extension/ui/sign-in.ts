import * as vscode from 'vscode';
import type { CredentialPrompts } from '../../aws/credentials/options.ts';
import type { LoginPrompts, SignInCode, SsoChoice, SsoSession } from '../../aws/sso/sso-session.ts';
import { withAbort } from '../../base/async.ts';
import type { Environment } from '../../base/environment.ts';
import type { WorkspaceCommand } from '../../base/exec.ts';
import { UserCancelledError } from '../servers/preparation.ts';
import { getWorkspaceAwsFiles } from '../settings/window-settings.ts';
import { formatMissingLogin } from './labels.ts';

// Sign-in to AWS in this window: SSO with a browser or a code, MFA codes, and `aws login` in a
// terminal.

/** Sign-in timeout in milliseconds. */
const SIGN_IN_TIMEOUT_MS = 10 * 60_000;

/**
 * Signs the user in to an SSO session and shows the progress. `choice` is a profile, the name of a
 * session, or a session without an entry in a file. If the login is valid or refreshable, shows no
 * prompt, unless `force` is set.
 *
 * @returns the expiry of the login. `undefined` if the user cancelled.
 * @throws {AgentCoreError} like `login` of `aws/sso/login.ts`.
 */
export async function signIn(
  choice: SsoChoice | { readonly session: SsoSession },
  options: {
    readonly env: Environment;
    readonly signal?: AbortSignal | undefined;
    /** Sign in even if the login looks valid, because AWS may have revoked it. */
    readonly force?: boolean | undefined;
  },
): Promise<Date | undefined> {
  const { env, signal, force } = options;
  const [{ login }, { findSsoSession, formatSsoSessionName }, { openNetwork }] = await Promise.all([
    import('../../aws/sso/login.ts'),
    import('../../aws/sso/sso-session.ts'),
    import('../../aws/endpoints.ts'),
  ]);
  const session = 'session' in choice ? choice.session : await findSsoSession(choice, env);
  return vscode.window.withProgress(
    {
      location: vscode.ProgressLocation.Notification,
      title: vscode.l10n.t('Signing in to {0}', formatSsoSessionName(session)),
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

/** Signs the user in. Resolves to `false` if the user cancels. */
type SignIn = (profile: string, signal: AbortSignal) => Promise<boolean>;

/** Prompts the user of this window for MFA codes and logins. */
export class WindowPrompts implements CredentialPrompts {
  readonly #signIn: SignIn;

  constructor(signIn: SignIn) {
    this.#signIn = signIn;
  }

  async mfaCode(serial: string, signal: AbortSignal): Promise<string> {
    const ending = toCancellationSource(signal);
    try {
      const code = await vscode.window.showInputBox(
        {
          title: vscode.l10n.t('AWS Multi-Factor Authentication'),
          prompt: vscode.l10n.t('Code of the device {0}', serial),
          placeHolder: '123456',
          password: true,
          ignoreFocusOut: true,
          validateInput: (text) =>
            /^\s*(\d{6,8})?\s*$/.test(text)
              ? undefined
              : vscode.l10n.t('The code has six digits and no other characters.'),
        },
        ending.token,
      );
      if (!code?.trim()) throw new UserCancelledError();
      return code.trim();
    } finally {
      ending.dispose();
    }
  }

  /** Offers a button to sign in. The browser opens only after a click on it. */
  async login(profile: string, _reason: string, signal: AbortSignal): Promise<boolean> {
    const signIn = vscode.l10n.t('Sign In');
    const chosen = await resolveOnAbort(
      vscode.window.showWarningMessage(formatMissingLogin(profile), signIn),
      signal,
    );
    if (chosen !== signIn) return false;
    return this.#signIn(profile, signal);
  }
}

/** Shows the page and code of a login, with a cancellable progress notification. */
class WindowLoginPrompts implements LoginPrompts {
  readonly #progress: vscode.Progress<{ readonly message: string }>;
  readonly #cancel: () => void;

  constructor(progress: vscode.Progress<{ readonly message: string }>, cancel: () => void) {
    this.#progress = progress;
    this.#cancel = cancel;
  }

  async openBrowser(url: string): Promise<boolean> {
    // The page redirects to the loopback address of this machine. In a remote window, the browser
    // runs on another machine, so use a code.
    if (vscode.env.remoteName !== undefined || vscode.env.uiKind === vscode.UIKind.Web)
      return false;
    return vscode.env.openExternal(vscode.Uri.parse(url, true));
  }

  async showCode({
    userCode,
    verificationUri,
    verificationUriComplete,
  }: SignInCode): Promise<void> {
    await vscode.env.clipboard.writeText(userCode);
    this.#progress.report({ message: vscode.l10n.t('Waiting for the code {0}', userCode) });
    const open = vscode.l10n.t('Open Page');
    const chosen = await vscode.window.showInformationMessage(
      vscode.l10n.t('Sign in with the code {0}', userCode),
      {
        modal: true,
        detail: vscode.l10n.t(
          'The code is copied. Confirm it on {0}, in a browser on any device.',
          verificationUri,
        ),
      },
      open,
    );
    if (chosen !== open) return this.#cancel();
    await vscode.env.openExternal(
      vscode.Uri.parse(verificationUriComplete ?? verificationUri, true),
    );
  }

  progress(sentence: string): void {
    this.#progress.report({ message: sentence });
  }
}

function toCancellationSource(signal: AbortSignal): vscode.CancellationTokenSource {
  const source = new vscode.CancellationTokenSource();
  const cancel = () => source.cancel();
  if (signal.aborted) cancel();
  else signal.addEventListener('abort', cancel, { once: true });
  return source;
}

/** VS Code cannot close a notification. An abort only ends the wait for it. */
function resolveOnAbort<T>(answer: Thenable<T>, signal: AbortSignal): Promise<T | undefined> {
  return withAbort(Promise.resolve(answer), signal).catch((thrown) => {
    if (signal.aborted) return undefined;
    throw thrown;
  });
}

/**
 * Runs `aws login` for a profile in a terminal, because the AWS CLI stores this login. Callers
 * watch the file of the login to detect the end.
 *
 * @param confirm Prompts the user to allow a workspace command.
 * @returns `false`, without any action, if the profile uses another kind of credentials.
 * @throws {UserCancelledError} if the workspace controls the AWS files and the user does not
 *   confirm them.
 */
export async function openAwsLogin(
  profile: string,
  env: Environment,
  confirm: (command: WorkspaceCommand) => Promise<boolean>,
): Promise<boolean> {
  const [{ getProfileKind }, { readProfileFiles }, { quoteForShell }] = await Promise.all([
    import('../../aws/credentials/profiles.ts'),
    import('../../aws/shared-config.ts'),
    import('../../aws/credentials/errors.ts'),
  ]);
  if (getProfileKind(profile, await readProfileFiles(env)) !== 'login') return false;
  const command = `aws login --profile ${quoteForShell(profile)}`;
  const files = await readWorkspaceFiles();
  if (files.length > 0) {
    const text = [command, ...files].join('\n\n');
    if (!(await confirm({ kind: 'awsLogin', text }))) throw new UserCancelledError();
  }
  const { AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE } = env;
  const terminal = vscode.window.createTerminal({
    name: vscode.l10n.t('AWS login'),
    env: {
      ...(AWS_CONFIG_FILE && { AWS_CONFIG_FILE }),
      ...(AWS_SHARED_CREDENTIALS_FILE && { AWS_SHARED_CREDENTIALS_FILE }),
    },
  });
  terminal.show();
  terminal.sendText(command);
  return true;
}

/**
 * Reads the AWS files in the workspace or set by it, for confirmation. The AWS CLI runs programs
 * named in these files, such as plugins and pagers. The files also set the sign-in address.
 */
async function readWorkspaceFiles(): Promise<readonly string[]> {
  const { readSharedFile } = await import('../../aws/shared-config.ts');
  return Promise.all(
    getWorkspaceAwsFiles().map(async (path) => `# ${path}\n${(await readSharedFile(path)) ?? ''}`),
  );
}
