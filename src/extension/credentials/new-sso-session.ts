import * as vscode from 'vscode';
import type { SsoSession } from '../../aws/sso/sso-session.ts';
import type { Environment } from '../../base/environment.ts';
import { isSecureUrl } from '../../http/secure-url.ts';
import { showError } from '../commands/present-error.ts';
import { UserCancelledError } from '../servers/server-preparation.ts';
import { askText, type InputQuestion } from '../setup/quick-steps.ts';
import { BACK, type FlowStep, runWizard } from '../setup/step-flow.ts';
import { validateRegion } from '../setup/typed-input.ts';
import { signIn } from './sign-in.ts';

/** Milliseconds to wait for the lock of the config file. */
const SESSION_WRITE_TIMEOUT_MS = 10_000;

/** The same questions as in `aws configure sso`. */
interface SsoSessionDraft {
  readonly startUrl?: string;
  readonly region?: string;
  readonly name?: string;
}

/**
 * Prompts for a new SSO session, signs in to it and writes it to the AWS config file. If the
 * sign-in fails, nothing is written and the prompts repeat.
 *
 * @returns the session and the expiry of its login.
 * @throws {Cancelled} if the user presses Escape.
 * @throws {AgentCoreError} if writing the file fails.
 */
export async function addSsoSession(
  env: Environment,
): Promise<{ readonly session: SsoSession; readonly until: Date }> {
  const [{ ACCOUNT_SCOPE }, { writeSsoSession }] = await Promise.all([
    import('../../aws/sso/sso-session.ts'),
    import('../../aws/credentials/profile-writer.ts'),
  ]);
  let draft: SsoSessionDraft = {};
  for (;;) {
    draft = await runWizard(createSteps(), draft);
    const { startUrl, region, name } = draft as Required<SsoSessionDraft>;
    const session = { startUrl, region, name, scopes: [ACCOUNT_SCOPE], profile: undefined };
    try {
      const until = await signIn({ session }, { env, force: true });
      if (!until) throw new UserCancelledError();
      await writeSsoSession(session, {
        env,
        signal: AbortSignal.timeout(SESSION_WRITE_TIMEOUT_MS),
      });
      return { session, until };
    } catch (thrown) {
      if (thrown instanceof UserCancelledError) throw thrown;
      void showError(thrown);
    }
  }
}

function createSteps(): readonly FlowStep<SsoSessionDraft>[] {
  return [
    createFieldStep({
      prompt: vscode.l10n.t('The start URL of your AWS access portal'),
      placeholder: 'https://NAME.awsapps.com/start',
      read: ({ startUrl }) => startUrl,
      write: (text) => ({ startUrl: normalizeStartUrl(text) }),
      check: validateStartUrl,
    }),
    createFieldStep({
      prompt: vscode.l10n.t('The region of its IAM Identity Center'),
      placeholder: 'us-east-1',
      read: ({ region }) => region,
      write: (region) => ({ region }),
      check: validateRegion,
    }),
    createFieldStep({
      prompt: vscode.l10n.t('A name for it in the AWS config file'),
      placeholder: vscode.l10n.t('Name'),
      read: ({ name, startUrl = '' }) => name ?? suggestSessionName(startUrl),
      write: (name) => ({ name }),
      check: (text) =>
        /^[\w@+.%:/-]+$/.test(text)
          ? undefined
          : vscode.l10n.t('Letters, digits and any of _ @ + . % : / -'),
    }),
  ];
}

function createFieldStep(
  field: Pick<InputQuestion, 'prompt' | 'placeholder' | 'check'> & {
    readonly read: (draft: SsoSessionDraft) => string | undefined;
    readonly write: (text: string) => SsoSessionDraft;
  },
): FlowStep<SsoSessionDraft> {
  const { read, write, ...question } = field;
  return {
    async ask(draft, position) {
      const title = vscode.l10n.t('Sign In');
      const text = await askText({ ...question, title, position, value: read(draft) });
      return text === BACK ? BACK : { ...draft, ...write(text) };
    },
  };
}

/** Removes the fragment that the portal adds in the browser: `/start/#/?tab=…`. */
function normalizeStartUrl(text: string): string {
  return text.replace(/#.*$/s, '').replace(/\/+$/, '');
}

function validateStartUrl(text: string): string | undefined {
  const isOne = /^[!-~]+$/.test(text) && URL.canParse(text) && isSecureUrl(new URL(text));
  return isOne
    ? undefined
    : vscode.l10n.t('Expected an https URL such as https://NAME.awsapps.com/start');
}

/** Returns `corp` for `https://corp.awsapps.com/start`. */
function suggestSessionName(startUrl: string): string {
  const [, name = 'sso'] = /^https:\/\/([a-z\d-]+)\.awsapps\./.exec(startUrl) ?? [];
  return name;
}
