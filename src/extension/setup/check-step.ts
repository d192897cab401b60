import * as vscode from 'vscode';
import type { Identity } from '../../aws/credentials/caller-identity.ts';
import type { CredentialPrompts } from '../../aws/credentials/options.ts';
import { formatStatement } from '../../aws/iam/access-denied.ts';
import type { Statement } from '../../aws/iam/policies.ts';
import { getEnvironmentProfile } from '../../aws/shared-config.ts';
import type { Environment } from '../../base/environment.ts';
import { AgentCoreError, getErrorMessage } from '../../base/errors.ts';
import { findUnconfirmed, type WorkspaceCommand } from '../../base/exec.ts';
import { createEntryCredentials, getRegion, toAssumeRole } from '../models/identities-model.ts';
import { UserCancelledError } from '../servers/preparation.ts';
import type { RuntimeEntry } from '../settings/runtime-entry.ts';
import { withPaths } from '../settings/runtime-store.ts';
import { createServerEnvironment, getTargetArn } from '../settings/server-environment.ts';
import { showError } from '../ui/errors.ts';
import { formatIdentity } from '../ui/labels.ts';
import {
  BACK,
  createSeparator,
  type FlowStep,
  type PickItem,
  type PickList,
  pick,
} from '../ui/wizard.ts';
import { addRecentRole } from './identity-steps.ts';
import { type RuntimeDraft, toEntry } from './runtime-draft.ts';
import type { CheckContext, SetupContext } from './setup-context.ts';

// The check step of the setup: the caller's identity, and its permission to call the target.

type Answer =
  | { readonly kind: 'continue' }
  | { readonly kind: 'again' }
  | { readonly kind: 'copy'; readonly text: string }
  | { readonly kind: 'signIn'; readonly profile: string }
  | { readonly kind: 'review'; readonly command: WorkspaceCommand };

/** The results of the check so far. */
interface Findings {
  readonly callers: readonly Identity[];
  readonly warnings: readonly string[];
  readonly server?: string | undefined;
  readonly tools?: readonly string[] | undefined;
  readonly failure?: string | undefined;
  readonly missing?: Statement | undefined;
  /** The profile whose login is missing. */
  readonly login?: string | undefined;
  /** A workspace command without the user's confirmation. */
  readonly unconfirmed?: WorkspaceCommand | undefined;
  readonly isDone: boolean;
}

const NOTHING: Findings = { callers: [], warnings: [], isDone: false };

/** Creates the check step. It runs before any setting is written. */
export function createCheckStep(setup: SetupContext, check: CheckContext): FlowStep<RuntimeDraft> {
  let last: { readonly key: string; readonly findings: Findings } | undefined;
  return {
    async ask(draft, position) {
      const key = JSON.stringify([toEntry(draft), draft.clientSecret]);
      if (last?.key !== key) last = undefined;
      for (;;) {
        let findings = last?.findings ?? NOTHING;
        const answer = await pick<Answer>({
          title: setup.title,
          position,
          placeholder: vscode.l10n.t('Access check: it starts a session and stops it again'),
          items: createFindingItems(findings),
          ...(!findings.isDone && {
            fill: async (list: PickList<Answer>) => {
              findings = await runChecks(draft, setup, check, list);
              if (findings.isDone) last = { key, findings };
            },
          }),
        });
        if (answer === BACK) return BACK;
        switch (answer.kind) {
          case 'continue':
            return { ...draft, tools: findings.tools };
          case 'again':
            last = undefined;
            break;
          case 'copy':
            await vscode.env.clipboard.writeText(answer.text);
            vscode.window.setStatusBarMessage(vscode.l10n.t('Copied'), 3_000);
            break;
          case 'review':
            last = undefined;
            await setup.review(answer.command);
            break;
          case 'signIn':
            last = undefined;
            await setup.signIn(answer.profile).catch((thrown) => {
              if (!(thrown instanceof UserCancelledError)) void showError(thrown);
            });
        }
      }
    },
  };
}

async function runChecks(
  draft: RuntimeDraft,
  setup: SetupContext,
  check: CheckContext,
  list: PickList<Answer>,
): Promise<Findings> {
  const { signal } = list;
  const env = setup.env();
  let findings = NOTHING;
  const tell = (more: Partial<Findings>) => {
    findings = { ...findings, ...more };
    list.show(createFindingItems(findings));
  };
  tell({});
  try {
    const entry = withPaths(toEntry(draft));
    if (draft.authorization.kind === 'iam') {
      const { prompts } = setup;
      const onBefore = (identity: Identity) => tell({ callers: [identity] });
      const { before, after, warnings } = await findCaller(entry, { env, prompts, onBefore });
      tell({ callers: after ? [before, after] : [before], warnings });
      if (after) await addRecentRole(draft, env);
    }
    signal.throwIfAborted();
    const variables = {
      ...createServerEnvironment(entry),
      ...(await check.startVariables(entry)),
      ...(draft.clientSecret && { AGENTCORE_OAUTH_CLIENT_SECRET: draft.clientSecret }),
    };
    const { proxy } = check;
    const { probeInvoke } = await import('./invoke-probe.ts');
    const outcome = await probeInvoke({ proxy, env, variables, signal });
    if (outcome.kind === 'answered') {
      tell({ server: outcome.server, tools: outcome.tools, isDone: true });
    } else {
      tell({ failure: outcome.reason, missing: outcome.missing, isDone: true });
    }
  } catch (thrown) {
    if (signal.aborted) return findings;
    const login = thrown instanceof AgentCoreError ? thrown.data?.login : undefined;
    const isLogin = typeof login === 'string';
    tell({
      failure: getErrorMessage(thrown),
      ...(isLogin && { login }),
      unconfirmed: findUnconfirmed(thrown),
      isDone: true,
    });
  }
  return findings;
}

function createFindingItems(findings: Findings): readonly PickItem<Answer>[] {
  const { callers, warnings, failure, isDone } = findings;
  return [
    // Enter picks the first item. If there is a failure, this is a remedy.
    ...(failure
      ? [...createHelpItems(findings), createCheckAgainItem(), createContinueItem(findings)]
      : [createContinueItem(findings), ...(isDone ? [createCheckAgainItem()] : [])]),
    ...(callers.length > 0 ? [createSeparator(vscode.l10n.t('Caller'))] : []),
    ...callers.map((identity, at) => createIdentityItem(identity, at)),
    ...warnings.map((warning) => createTextItem('warning', warning)),
    ...(failure
      ? [createSeparator(vscode.l10n.t('Failure')), createTextItem('error', failure)]
      : []),
    ...createToolItems(findings),
  ];
}

function createContinueItem({ isDone, failure }: Findings): PickItem<Answer> {
  const value = { kind: 'continue' } as const;
  if (!isDone) return { label: vscode.l10n.t('Continue Without Waiting'), value };
  return failure
    ? { label: `$(warning) ${vscode.l10n.t('Continue Anyway')}`, value }
    : { label: `$(check) ${vscode.l10n.t('Continue')}`, value };
}

function createHelpItems({ missing, login, unconfirmed }: Findings): readonly PickItem<Answer>[] {
  return [
    ...(unconfirmed
      ? [
          {
            label: `$(eye) ${vscode.l10n.t('Review Command')}`,
            value: { kind: 'review', command: unconfirmed } as const,
          },
        ]
      : []),
    ...(missing
      ? [
          {
            label: `$(copy) ${vscode.l10n.t('Copy the Missing Statement')}`,
            description: [missing.Action].flat().join(', '),
            value: { kind: 'copy', text: formatStatement(missing) } as const,
          },
        ]
      : []),
    ...(login
      ? [
          {
            label: `$(sign-in) ${vscode.l10n.t('Sign In')}`,
            description: login,
            value: { kind: 'signIn', profile: login } as const,
          },
        ]
      : []),
  ];
}

function createCheckAgainItem(): PickItem<Answer> {
  return { label: `$(refresh) ${vscode.l10n.t('Check Again')}`, value: { kind: 'again' } };
}

function createIdentityItem(identity: Identity, at: number): PickItem<Answer> {
  const { arn, account, source } = identity;
  const words = formatIdentity(identity);
  return {
    label: `$(account) ${at > 0 ? vscode.l10n.t('then {0}', words) : words}`,
    description: account,
    detail: source,
    value: { kind: 'copy', text: arn },
  };
}

function createToolItems({ server, tools }: Findings): readonly PickItem<Answer>[] {
  if (!tools) return [];
  const words =
    tools.length === 1 ? vscode.l10n.t('1 tool') : vscode.l10n.t('{0} tools', tools.length);
  return [
    createSeparator(vscode.l10n.t('Server')),
    {
      label: `$(tools) ${server}`,
      description: words,
      detail: tools.join(', '),
      value: { kind: 'copy', text: tools.join('\n') },
    },
  ];
}

/**
 * Creates an item for a message. A long message is split at its first colon into label and detail.
 */
function createTextItem(icon: string, text: string): PickItem<Answer> {
  const at = text.indexOf(': ');
  const [label, detail] = at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 2)];
  return {
    label: `$(${icon}) ${label}`,
    ...(detail && { detail }),
    value: { kind: 'copy', text },
  };
}

/** The identities that call a runtime, before and after the role is assumed. */
interface Caller {
  /** The identity of the profile, or of the credentials in the environment. */
  readonly before: Identity;
  /** The identity after the role of the entry is assumed. Absent if there is no role. */
  readonly after: Identity | undefined;
  /** Mismatches with the target, such as another account or region. */
  readonly warnings: readonly string[];
}

/**
 * Requests the caller's identity from STS, before and after the role is assumed.
 *
 * @param onBefore Called with the first identity, before the role is assumed.
 * @throws {AgentCoreError} `credentials` if the credentials cannot be resolved.
 */
export async function findCaller(
  entry: RuntimeEntry,
  options: {
    readonly env: Environment;
    readonly prompts: CredentialPrompts;
    readonly onBefore?: (identity: Identity) => void;
  },
): Promise<Caller> {
  const { env, prompts, onBefore } = options;
  const [{ describeMismatches, getCallerIdentity }, { openNetwork }] = await Promise.all([
    import('../../aws/credentials/caller-identity.ts'),
    import('../../aws/endpoints.ts'),
  ]);
  const profile = entry.profile ?? getEnvironmentProfile(env);
  const network = await openNetwork(profile, env);
  const identify = async (role: RuntimeEntry['role']) =>
    getCallerIdentity({
      profile,
      region: getRegion(entry),
      assumeRole: role && toAssumeRole(role),
      env,
      network,
      credentials: await createEntryCredentials({ ...entry, role }, { env, prompts }),
    });
  const before = await identify(undefined);
  onBefore?.(before);
  const after = entry.role && (await identify(entry.role));
  const arn = getTargetArn(entry);
  return { before, after, warnings: arn ? describeMismatches(after ?? before, arn) : [] };
}
