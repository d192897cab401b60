import * as vscode from 'vscode';
import type { EntryAuthorization } from '../settings/runtime-entry.ts';
import { askText, BACK, type Back, type FlowStep, pick } from '../ui/wizard.ts';
import {
  isGateway,
  type RuntimeDraft,
  validateRequired,
  validateTokenUrl,
} from './runtime-draft.ts';
import type { SetupContext } from './setup-context.ts';

type Kind = EntryAuthorization['kind'];

type OAuth = Extract<EntryAuthorization, { readonly kind: 'oauth' }>;

/**
 * Creates the questions about authorization. They are skipped if discovery found IAM or no
 * authorization.
 */
export function createAuthorizationSteps(
  setup: SetupContext,
  hasSecret: (draft: RuntimeDraft) => Promise<boolean>,
): readonly FlowStep<RuntimeDraft>[] {
  const { title } = setup;
  const isOAuth = ({ authorization }: RuntimeDraft) => authorization.kind === 'oauth';
  return [
    {
      applies: ({ found }) => !isKnown(found?.authorizer),
      async ask(draft, position) {
        const kind = await pick<Kind>({
          title,
          position,
          placeholder: vscode.l10n.t('How are callers authorized?'),
          items: createKindItems(draft),
          isActive: (one) => one === draft.authorization.kind,
        });
        if (kind === BACK) return BACK;
        const isSame = kind === draft.authorization.kind;
        return isSame ? draft : { ...draft, authorization: createEmptyAuthorization(kind) };
      },
    },
    {
      applies: ({ authorization }) => authorization.kind === 'tokenCommand',
      async ask(draft, position) {
        const { authorization } = draft;
        const command = await askText({
          title,
          position,
          prompt: vscode.l10n.t('A command that prints a bearer token'),
          placeholder: 'my-login token --audience tools',
          value: authorization.kind === 'tokenCommand' ? authorization.command : '',
          check: validateRequired,
        });
        if (command === BACK) return BACK;
        return { ...draft, authorization: { kind: 'tokenCommand', command } };
      },
    },
    createOAuthStep(title, {
      prompt: vscode.l10n.t('The client id of the OAuth client'),
      placeholder: vscode.l10n.t('Client id'),
      read: ({ clientId }) => clientId,
      write: (clientId) => ({ clientId }),
      check: validateRequired,
    }),
    createOAuthStep(title, {
      prompt: vscode.l10n.t(
        'The token URL. Leave it empty to use the one from the runtime’s metadata.',
      ),
      placeholder: 'https://example.com/oauth2/token',
      read: ({ tokenUrl = '' }) => tokenUrl,
      write: (tokenUrl) => ({ tokenUrl: tokenUrl || undefined }),
      check: validateTokenUrl,
    }),
    // After the token URL, because the secret is bound to it.
    {
      applies: isOAuth,
      async ask(draft, position) {
        const { clientId, tokenUrl } = draft.authorization as OAuth;
        const isKept = await hasSecret(draft);
        const clientSecret = await askText({
          title,
          position,
          prompt: isKept
            ? vscode.l10n.t('The client secret. Leave it empty to keep the stored one.')
            : formatSecretPrompt(clientId, tokenUrl),
          placeholder: vscode.l10n.t('Client secret'),
          value: draft.clientSecret,
          password: true,
          ...(!isKept && { check: validateRequired }),
        });
        if (clientSecret === BACK) return BACK;
        return { ...draft, clientSecret: clientSecret || undefined };
      },
    },
    createOAuthStep(title, {
      prompt: vscode.l10n.t('The scopes to request, separated by spaces. Leave it empty for none.'),
      placeholder: vscode.l10n.t('Scopes'),
      read: ({ scopes }) => scopes.join(' '),
      write: (scopes) => ({ scopes: scopes.split(/[\s,]+/).filter(Boolean) }),
    }),
  ];
}

/**
 * The prompt for the client secret. It contains the receiver, because workspace settings may have
 * changed it.
 */
export function formatSecretPrompt(clientId: string, tokenUrl: string | undefined): string {
  return tokenUrl === undefined
    ? vscode.l10n.t(
        'The secret of client {0}, for the OAuth server that the runtime names. VS Code keeps it in its secret storage.',
        clientId,
      )
    : vscode.l10n.t(
        'The secret of client {0}, for {1}. VS Code keeps it in its secret storage.',
        clientId,
        tokenUrl,
      );
}

/** Creates a question about one field of the OAuth client. */
function createOAuthStep(
  title: string,
  field: {
    readonly prompt: string;
    readonly placeholder: string;
    readonly read: (oauth: OAuth) => string;
    readonly write: (text: string) => Partial<OAuth>;
    readonly check?: (text: string) => string | undefined;
  },
): FlowStep<RuntimeDraft> {
  const { prompt, placeholder, read, write, check } = field;
  return {
    applies: ({ authorization }) => authorization.kind === 'oauth',
    async ask(draft, position): Promise<RuntimeDraft | Back> {
      const oauth = draft.authorization as OAuth;
      const value = read(oauth);
      const text = await askText({ title, position, prompt, placeholder, value, check });
      return text === BACK ? BACK : { ...draft, authorization: { ...oauth, ...write(text) } };
    },
  };
}

function isKnown(authorizer: string | undefined): boolean {
  return authorizer === 'IAM' || authorizer === 'NONE';
}

function createKindItems(draft: RuntimeDraft) {
  const iam = {
    label: vscode.l10n.t('IAM'),
    description: vscode.l10n.t('AWS credentials'),
    value: 'iam' as const,
  };
  const none = {
    label: vscode.l10n.t('Nothing'),
    description: vscode.l10n.t('open to all callers'),
    value: 'none' as const,
  };
  const tokens = [
    {
      label: vscode.l10n.t('OAuth client credentials'),
      description: vscode.l10n.t('a client id and its secret'),
      value: 'oauth' as const,
    },
    {
      label: vscode.l10n.t('Token command'),
      description: vscode.l10n.t('a command that prints a bearer token'),
      value: 'tokenCommand' as const,
    },
  ];
  if (draft.found?.authorizer === 'JWT') return tokens;
  // A runtime always requires authorization.
  return isGateway(draft) ? [iam, ...tokens, none] : [iam, ...tokens];
}

function createEmptyAuthorization(kind: Kind): EntryAuthorization {
  switch (kind) {
    case 'iam':
    case 'none':
      return { kind };
    case 'tokenCommand':
      return { kind, command: '' };
    case 'oauth':
      return { kind, clientId: '', tokenUrl: undefined, scopes: [], audience: undefined };
  }
}
