import * as vscode from 'vscode';
import { isPrivate } from '../../aws/private-url.ts';
import type { SsoSession } from '../../aws/sso/sso-session.ts';
import type { Environment } from '../../environment.ts';
import { presentError } from '../commands/present-error.ts';
import { Cancelled } from '../servers/server-preparation.ts';
import { type InputQuestion, input } from '../setup/quick-steps.ts';
import { BACK, type FlowStep, runFlow } from '../setup/step-flow.ts';
import { regionVerdict } from '../setup/typed-input.ts';
import { signIn } from './sign-in.ts';

/** Milliseconds to wait for the lock of the config file. */
const WRITE_WITHIN = 10_000;

/** The same questions as in `aws configure sso`. */
interface Draft {
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
    import('../../aws/sso/profile-writer.ts'),
  ]);
  let draft: Draft = {};
  for (;;) {
    draft = await runFlow(steps(), draft);
    const { startUrl, region, name } = draft as Required<Draft>;
    const session = { startUrl, region, name, scopes: [ACCOUNT_SCOPE], profile: undefined };
    try {
      const until = await signIn({ session }, { env, force: true });
      if (!until) throw new Cancelled();
      await writeSsoSession(session, { env, signal: AbortSignal.timeout(WRITE_WITHIN) });
      return { session, until };
    } catch (thrown) {
      if (thrown instanceof Cancelled) throw thrown;
      void presentError(thrown);
    }
  }
}

function steps(): readonly FlowStep<Draft>[] {
  return [
    step({
      prompt: vscode.l10n.t('The start URL of your AWS access portal'),
      placeholder: 'https://NAME.awsapps.com/start',
      read: ({ startUrl }) => startUrl,
      write: (text) => ({ startUrl: startUrlOf(text) }),
      check: startUrlVerdict,
    }),
    step({
      prompt: vscode.l10n.t('The region of its IAM Identity Center'),
      placeholder: 'us-east-1',
      read: ({ region }) => region,
      write: (region) => ({ region }),
      check: regionVerdict,
    }),
    step({
      prompt: vscode.l10n.t('A name for it in the AWS config file'),
      placeholder: vscode.l10n.t('Name'),
      read: ({ name, startUrl = '' }) => name ?? suggestedName(startUrl),
      write: (name) => ({ name }),
      check: (text) =>
        /^[\w@+.%:/-]+$/.test(text)
          ? undefined
          : vscode.l10n.t('Letters, digits and any of _ @ + . % : / -'),
    }),
  ];
}

function step(
  field: Pick<InputQuestion, 'prompt' | 'placeholder' | 'check'> & {
    readonly read: (draft: Draft) => string | undefined;
    readonly write: (text: string) => Draft;
  },
): FlowStep<Draft> {
  const { read, write, ...question } = field;
  return {
    async ask(draft, position) {
      const title = vscode.l10n.t('Sign In');
      const text = await input({ ...question, title, position, value: read(draft) });
      return text === BACK ? BACK : { ...draft, ...write(text) };
    },
  };
}

/** Removes the fragment that the portal adds in the browser: `/start/#/?tab=…`. */
function startUrlOf(text: string): string {
  return text.replace(/#.*$/s, '').replace(/\/+$/, '');
}

function startUrlVerdict(text: string): string | undefined {
  const isOne = /^[!-~]+$/.test(text) && URL.canParse(text) && isPrivate(new URL(text));
  return isOne
    ? undefined
    : vscode.l10n.t('Expected an https URL such as https://NAME.awsapps.com/start');
}

/** Returns `corp` for `https://corp.awsapps.com/start`. */
function suggestedName(startUrl: string): string {
  const [, name = 'sso'] = /^https:\/\/([a-z\d-]+)\.awsapps\./.exec(startUrl) ?? [];
  return name;
}
