import { isDeepStrictEqual } from 'node:util';
import * as vscode from 'vscode';
import { parseGatewayArn, parseRuntimeArn } from '../../aws/arn.ts';
import type { Problem } from '../../aws/discovery/model.ts';
import { createMissingStatements, formatStatement } from '../../aws/iam/access-denied.ts';
import type { Environment } from '../../base/environment.ts';
import type { WorkspaceCommand } from '../../base/exec.ts';
import { DiscoveryModel } from '../models/discovery-model.ts';
import { IdentitiesModel } from '../models/identities-model.ts';
import { ProfilesModel } from '../models/profiles-model.ts';
import type { ServersModel } from '../models/servers-model.ts';
import type { SessionsModel } from '../models/sessions-model.ts';
import { type ServerController, watchMcpAvailability } from '../servers/server-control.ts';
import { Commands, Settings } from '../settings/contributions.ts';
import type { RuntimeEntry } from '../settings/runtime-entry.ts';
import type { RuntimeStore, WrittenEntry } from '../settings/runtime-store.ts';
import { getTargetArn } from '../settings/server-environment.ts';
import { findCaller } from '../setup/check-step.ts';
import { pickProfile, pickRole } from '../setup/identity-steps.ts';
import { toWrittenRole } from '../setup/runtime-draft.ts';
import { pickMode } from '../setup/setup.ts';
import { createSetupContext, type SetupParts } from '../setup/setup-context.ts';
import type { CommandRegistry } from '../ui/command-registry.ts';
import { openSettings, type Remedy, showProblem } from '../ui/errors.ts';
import { BACK } from '../ui/wizard.ts';
import { CredentialsView } from '../views/credentials-view.ts';
import { RuntimesView, SHOW_PROBLEM } from '../views/runtimes-view.ts';
import { pickEntry, resolveCommandTarget } from './command-target.ts';
import { registerCredentialCommands } from './credential-commands.ts';
import { registerServerCommands } from './server-commands.ts';
import { stop } from './session-commands.ts';

// The views of runtimes and credentials, and commands on one runtime: change a field, remove it, and
// copy or open related data.

/** Registers the commands on one entry. */
export function registerRuntimeCommands(
  commands: CommandRegistry,
  parts: SetupParts & { readonly sessionsModel: SessionsModel },
): void {
  const { store, servers, env, prompts } = parts;
  const resolveEntry = async (item: unknown, isMeant?: (entry: RuntimeEntry) => boolean) =>
    resolveCommandTarget(item, store).entry ?? pickEntry(store, isMeant);
  /** Writes these fields of an entry. `undefined` removes a field. */
  const write = async (entry: RuntimeEntry, fields: Readonly<Record<string, unknown>>) => {
    const before = store.written(entry.name) ?? { name: entry.name };
    const after = Object.entries({ ...before, ...fields }).filter(
      ([, value]) => value !== undefined,
    );
    await servers.change(entry.name, () => store.save(Object.fromEntries(after) as WrittenEntry));
  };

  commands.register(Commands.switchProfile, async (item?: unknown) => {
    const entry = await resolveEntry(item, isOnAws);
    const setup = createSetupContext(parts, vscode.l10n.t('Profile of {0}', entry.name));
    const chosen = await pickProfile(setup, { profile: entry.profile });
    if (chosen !== BACK && chosen.profile !== entry.profile) await write(entry, chosen);
  });

  commands.register(Commands.switchRole, async (item?: unknown) => {
    const entry = await resolveEntry(item, isOnAws);
    const setup = createSetupContext(parts, vscode.l10n.t('Role of {0}', entry.name));
    const chosen = await pickRole(setup, { role: entry.role });
    if (chosen === BACK || isDeepStrictEqual(chosen.role, entry.role)) return;
    await write(entry, { assumeRole: chosen.role && toWrittenRole(chosen.role) });
  });

  commands.register(Commands.changeSessionMode, async (item?: unknown) => {
    const entry = await resolveEntry(item);
    const setup = createSetupContext(parts, vscode.l10n.t('Sessions of {0}', entry.name));
    const mode = await pickMode(setup, {
      arn: getTargetArn(entry),
      sessionMode: entry.sessionMode,
    });
    if (mode !== BACK && mode !== entry.sessionMode) await write(entry, { sessionMode: mode });
  });

  commands.register(Commands.removeRuntime, async (item?: unknown) => {
    const broken = findBrokenName(item);
    if (broken?.name !== undefined) return removeBroken(store, broken.name);
    // An entry without a unique name cannot be identified, so the user has to edit the settings.
    if (broken) return revealEntry(undefined);
    await removeEntry(await resolveEntry(item), parts);
  });

  commands.register(Commands.openSettings, async (item?: unknown) => {
    const entry = resolveCommandTarget(item, store).entry?.name ?? findBrokenName(item)?.name;
    if (item !== undefined && item !== null) return revealEntry(entry);
    return openSettings('@ext:agentcore-mcp.agentcore-mcp');
  });

  commands.register(Commands.copyArn, async (item?: unknown) => {
    const arn =
      resolveCommandTarget(item, store).arn ?? getTargetArn(await resolveEntry(item, isOnAws));
    if (!arn) return;
    await vscode.env.clipboard.writeText(arn);
    vscode.window.setStatusBarMessage(vscode.l10n.t('Copied {0}', arn), 5_000);
  });

  commands.register(Commands.copyPolicy, async (item?: unknown) => {
    const subject = resolveCommandTarget(item, store);
    const entry = subject.entry ?? (subject.arn ? undefined : await pickEntry(store, isOnAws));
    const arn = entry ? getTargetArn(entry) : subject.arn;
    if (!arn) return;
    const text = await createPolicyText(arn, entry, async () => {
      if (!entry) return '';
      return (await findCaller({ ...entry, role: undefined }, { env: env(), prompts })).before.arn;
    });
    if (text === undefined) return;
    await vscode.env.clipboard.writeText(text);
    void vscode.window.showInformationMessage(
      vscode.l10n.t(
        'Copied the IAM policy. It allows only the actions that this runtime requires.',
      ),
    );
  });

  commands.register(Commands.openCloudWatchLogs, async (item?: unknown) => {
    const { arn, qualifier } = resolveCommandTarget(item, store);
    const entry = arn ? undefined : await pickEntry(store, isOnAws);
    const url = getLogGroupUrl(
      arn ?? (getTargetArn(entry as RuntimeEntry) as string),
      qualifier ?? entry?.qualifier,
    );
    // A string, because `Uri` encodes the URL again. The console then does not find the log group.
    await vscode.env.openExternal(url as unknown as vscode.Uri);
  });
}

function isOnAws({ target }: RuntimeEntry): boolean {
  return target.kind !== 'local';
}

/**
 * Reads the tree item of an invalid entry. The name is `undefined` if it is missing or not unique.
 * Returns `undefined` for any other item.
 */
function findBrokenName(item: unknown): { readonly name: string | undefined } | undefined {
  const { problem } = (item ?? {}) as { readonly problem?: { readonly index?: unknown } };
  if (typeof problem?.index !== 'number') return undefined;
  const entries = vscode.workspace.getConfiguration('agentcore').get<unknown>(Settings.runtimes);
  const nameAt = (index: number) =>
    Array.isArray(entries)
      ? (entries[index] as { readonly name?: unknown } | null)?.name
      : undefined;
  const name = nameAt(problem.index);
  const bearers = Array.isArray(entries) ? entries.filter((entry) => entry?.name === name) : [];
  return { name: typeof name === 'string' && bearers.length === 1 ? name : undefined };
}

async function removeBroken(store: RuntimeStore, name: string): Promise<void> {
  const remove = vscode.l10n.t('Remove');
  const sentence = vscode.l10n.t('Remove runtime "{0}" from the settings?', name);
  const chosen = await vscode.window.showWarningMessage(sentence, { modal: true }, remove);
  if (chosen === remove) await store.remove(name);
}

async function removeEntry(
  entry: RuntimeEntry,
  { store, sessionsModel, secrets }: SetupParts & { readonly sessionsModel: SessionsModel },
): Promise<void> {
  const billing = async () =>
    (await sessionsModel.refresh()).entries.filter(
      ({ mayBill, runtime, profile }) =>
        mayBill && runtime === getRuntimeArn(entry) && profile === entry.profile,
    );
  const sessions = await billing();
  const remove = vscode.l10n.t('Remove');
  const chosen = await vscode.window.showWarningMessage(
    vscode.l10n.t('Remove runtime "{0}" from the settings?', entry.name),
    {
      modal: true,
      detail:
        sessions.length === 0
          ? vscode.l10n.t('Nothing changes in AWS.')
          : sessions.length === 1
            ? vscode.l10n.t('Its session, which may be billed, is stopped.')
            : vscode.l10n.t('Its {0} sessions, which may be billed, are stopped.', sessions.length),
    },
    remove,
  );
  if (chosen !== remove) return;
  await store.remove(entry.name);
  await secrets.remove(entry.name);
  await stop(sessionsModel, await billing());
}

/** The ARN of the runtime without an endpoint, as in the records of sessions. */
function getRuntimeArn({ target }: RuntimeEntry): string | undefined {
  return target.kind === 'runtime' ? target.runtime.arn : undefined;
}

/**
 * Prompts for a policy if there is a role, and returns it as JSON.
 *
 * @param caller Requests the ARN of the caller from AWS.
 */
async function createPolicyText(
  arn: string,
  entry: RuntimeEntry | undefined,
  caller: () => Promise<string>,
): Promise<string | undefined> {
  const { createProfilePolicy, createRolePolicy, createRoleTrustPolicy } = await import(
    './policy-documents.ts'
  );
  const role = entry?.role;
  const subject = { arn, qualifier: entry?.qualifier, role };
  if (!role) return formatJson(createProfilePolicy(subject));
  const name = role.arns.at(-1)?.split('/').at(-1) ?? '';
  const chosen = await vscode.window.showQuickPick(
    [
      {
        label: vscode.l10n.t('Policy of the caller'),
        description: vscode.l10n.t('may assume the role'),
        document: async () => createProfilePolicy(subject),
      },
      {
        label: vscode.l10n.t('Policy of the role {0}', name),
        description: vscode.l10n.t('may call the runtime'),
        document: async () => createRolePolicy(subject),
      },
      {
        label: vscode.l10n.t('Trust policy of the role {0}', role.arns[0]?.split('/').at(-1) ?? ''),
        description: vscode.l10n.t('allows the caller to assume it'),
        document: async () => createRoleTrustPolicy(role, await caller()),
      },
    ],
    { placeHolder: vscode.l10n.t('Pick the policy to copy') },
  );
  return chosen && formatJson(await chosen.document());
}

function formatJson(document: object): string {
  return JSON.stringify(document, undefined, 2);
}

const DEFAULT_ENDPOINT = 'DEFAULT';

/**
 * The CloudWatch log group of a runtime endpoint or a gateway. Sources: "Observability" in the
 * AgentCore Developer Guide for runtimes; the default name in the console for gateways.
 *
 * @param qualifier The endpoint, if the ARN contains none.
 * @throws {AgentCoreError} `usage` if the ARN is neither a runtime nor a gateway.
 */
export function getLogGroupName(arn: string, qualifier?: string): string {
  if (arn.includes(':gateway/')) {
    const { gatewayId } = parseGatewayArn(arn);
    return `/aws/vendedlogs/bedrock-agentcore/gateway/APPLICATION_LOGS/${gatewayId}`;
  }
  const { runtimeId, endpoint } = parseRuntimeArn(arn);
  return `/aws/bedrock-agentcore/runtimes/${runtimeId}-${qualifier ?? endpoint ?? DEFAULT_ENDPOINT}`;
}

/** URL of the log group in the AWS console. Throws like {@link getLogGroupName}. */
export function getLogGroupUrl(arn: string, qualifier?: string): string {
  const [, partition, , region = ''] = arn.split(':');
  const host = {
    'aws-cn': 'console.amazonaws.cn',
    'aws-us-gov': 'console.amazonaws-us-gov.com',
  }[partition as string];
  // The console decodes its fragment twice, and uses `$` instead of `%`.
  const group = encodeURIComponent(encodeURIComponent(getLogGroupName(arn, qualifier))).replaceAll(
    '%',
    '$',
  );
  return `https://${host ?? `${region}.console.aws.amazon.com`}/cloudwatch/home?region=${region}#logsV2:log-groups/log-group/${group}`;
}

const KEY = `agentcore.${Settings.runtimes}`;

/** Opens the settings file at the entry with this name, or at the list if `name` is absent. */
async function revealEntry(name: string | undefined): Promise<void> {
  const values = vscode.workspace.getConfiguration().inspect<unknown>(KEY);
  // In a remote window, the machine settings are on the remote host.
  const ofUser =
    vscode.env.remoteName === undefined
      ? 'workbench.action.openSettingsJson'
      : 'workbench.action.openRemoteSettingsFile';
  const command =
    values?.workspaceValue === undefined ? ofUser : 'workbench.action.openWorkspaceSettingsFile';
  await vscode.commands.executeCommand(command, { revealSetting: { key: KEY } });
  const editor = vscode.window.activeTextEditor;
  if (!editor || !/\.(json|code-workspace)$/.test(editor.document.uri.path)) return;
  const at = findEntryOffset(editor.document.getText(), name);
  if (at === undefined) return;
  const position = editor.document.positionAt(at);
  editor.selection = new vscode.Selection(position, position);
  editor.revealRange(
    new vscode.Range(position, position),
    vscode.TextEditorRevealType.InCenterIfOutsideViewport,
  );
}

/**
 * Returns the offset of the entry's name in a settings file. If it is missing, returns the offset
 * of the list.
 */
export function findEntryOffset(text: string, name: string | undefined): number | undefined {
  const list = text.indexOf(`"${KEY}"`);
  if (list < 0) return undefined;
  if (name === undefined) return list;
  const written = JSON.stringify(name).replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const found = new RegExp(`"name"\\s*:\\s*${written}`).exec(text.slice(list));
  return list + (found?.index ?? 0);
}

/** Registers the views "Runtimes" and "Credentials" and their commands. */
export function registerRuntimes(
  context: Pick<vscode.ExtensionContext, 'subscriptions'>,
  parts: {
    readonly commands: CommandRegistry;
    readonly store: RuntimeStore;
    readonly sessionsModel: SessionsModel;
    readonly servers: ServerController;
    readonly running: ServersModel;
    readonly env: () => Environment;
    /** Shows a workspace command and prompts the user to allow it. */
    readonly review: (command: WorkspaceCommand) => Promise<boolean>;
    /** Fires when the user confirms a command, which may then run. */
    readonly onDidConfirm: vscode.Event<void>;
  },
): void {
  const { commands, store, running, env, review, onDidConfirm } = parts;
  const identities = new IdentitiesModel(env);
  const profiles = new ProfilesModel(env);
  const discoveries = new DiscoveryModel(env);
  const runtimes = new RuntimesView({ store, running, discoveries, identities, profiles, env });
  const credentials = new CredentialsView({ profiles, identities });
  registerServerCommands(commands, parts);
  registerCredentialCommands(commands, { env, onChange: () => profiles.reset(), review });
  commands.register(Commands.refreshRuntimes, () => runtimes.refresh());
  // Not awaited: the command returns before the user closes the message.
  commands.register(SHOW_PROBLEM, (problem: Problem) => {
    void showProblem(problem.sentence, getProblemRemedies(problem));
  });
  const availability = watchMcpAvailability((sentence) => {
    runtimes.message = sentence;
  });
  context.subscriptions.push(
    profiles.onDidReset(() => {
      identities.forget();
      runtimes.reset();
    }),
    profiles.onDidChangeLogins(() => identities.forget()),
    onDidConfirm(() => profiles.reset()),
  );
  context.subscriptions.push(
    availability,
    identities,
    profiles,
    discoveries,
    runtimes,
    credentials,
  );
}

/** Returns the remedies for a discovery problem. */
export function getProblemRemedies({
  kind,
  login,
  denial,
  unconfirmed,
}: Problem): readonly Remedy[] {
  const again = { kind: 'refreshRuntimes' } as const;
  const statement = denial && createMissingStatements([denial])[0];
  switch (kind) {
    case 'credentials':
      if (unconfirmed) return [{ kind: 'reviewCommand', command: unconfirmed }, again];
      return login === undefined
        ? [{ kind: 'openAwsConfig' }, again]
        : [{ kind: 'signIn', profile: login }, again];
    case 'denied':
      return statement
        ? [{ kind: 'copyStatement', text: formatStatement(statement) }, again]
        : [again];
    case 'no-region':
      return [{ kind: 'discoverySettings' }, { kind: 'openAwsConfig' }];
    case 'network':
      return [{ kind: 'networkSettings' }, again];
    case 'throttled':
    case 'bound':
    case 'failed':
      return [again, { kind: 'showLogs' }];
  }
}
