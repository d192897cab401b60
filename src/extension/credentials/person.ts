import * as vscode from 'vscode';
import type { CredentialPrompts } from '../../aws/credentials/options.ts';
import type { LoginPrompts, SignInCode } from '../../aws/sso/sso-session.ts';
import { UserCancelledError } from '../servers/server-preparation.ts';
import { formatMissingLogin } from './profile-words.ts';

/** Signs the user in to an SSO session. Resolves to `false` if the user cancels. */
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

  /** Offers the sign-in page first. The browser opens only after a click. */
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

/** Shows the page and code of a login, with a progress notification that the user can cancel. */
export class WindowLoginPrompts implements LoginPrompts {
  readonly #progress: vscode.Progress<{ readonly message: string }>;
  readonly #cancel: () => void;

  constructor(progress: vscode.Progress<{ readonly message: string }>, cancel: () => void) {
    this.#progress = progress;
    this.#cancel = cancel;
  }

  async openBrowser(url: string): Promise<boolean> {
    // The page redirects to this machine's loopback address. In a remote window, the browser runs
    // on another machine.
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

/** VS Code cannot close a notification. On abort, this only ends the wait. */
async function resolveOnAbort<T>(answer: Thenable<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return undefined;
  return Promise.race([
    answer,
    new Promise<undefined>((resolve) => {
      signal.addEventListener('abort', () => resolve(undefined), { once: true });
    }),
  ]);
}
