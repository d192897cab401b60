import * as vscode from 'vscode';
import type { CredentialPrompts } from '../../aws/credentials/options.ts';
import type { Discovery } from '../../aws/discovery/discovery.ts';
import type { Environment } from '../../base/environment.ts';
import { openDiscovery } from '../models/discovery-model.ts';
import type { SessionsModel } from '../models/sessions-model.ts';
import type { PreparationStep } from '../servers/preparation.ts';
import { type ClientSecrets, ENTER_SECRET } from '../servers/secrets.ts';
import type { ServerController } from '../servers/server-control.ts';
import { Commands } from '../settings/contributions.ts';
import { type RuntimeEntry, readEntry, SAMPLE_RUNTIME } from '../settings/runtime-entry.ts';
import type { RuntimeStore } from '../settings/runtime-store.ts';
import { getAwsFilesKey } from '../settings/window-settings.ts';
import { formatSecretPrompt } from '../setup/authorization-step.ts';
import {
  EMPTY_DRAFT,
  type RuntimeDraft,
  suggestName,
  toDraft,
  toWrittenEntry,
  validateRequired,
  withTarget,
} from '../setup/runtime-draft.ts';
import { askForChanges, askForRuntime, type TargetChoice } from '../setup/setup.ts';
import { createSetupContext, type SetupContext, type SetupParts } from '../setup/setup-context.ts';
import { startServerAndShowTools } from '../setup/start-server.ts';
import type { CommandRegistry } from '../ui/command-registry.ts';
import { askText, BACK } from '../ui/wizard.ts';
import { pickEntry, resolveCommandTarget } from './command-target.ts';
import { registerInstallForOtherClient } from './install-client-commands.ts';
import { registerRuntimeCommands } from './runtime-commands.ts';

// Registration of the commands to add, edit and install runtimes.

/** Registers the commands that add or edit an entry with a wizard. */
function registerSetupCommands(commands: CommandRegistry, parts: SetupParts): void {
  const { store, servers, secrets, check } = parts;

  const setUp = async (choice: TargetChoice, begin?: RuntimeDraft) => {
    const setup = createSetupContext(parts, vscode.l10n.t('Set Up Runtime'));
    const draft = await askForRuntime(setup, { check, secrets, choice, begin });
    await save(parts, draft);
    await startServerAndShowTools(draft.name as string, servers, {
      known: draft.tools,
      isNew: true,
    });
  };

  commands.register(Commands.setUpRuntime, async (item?: unknown) => {
    const subject = resolveCommandTarget(item, store);
    if (!subject.arn || subject.entry) return setUp('discovered');
    const draft = { ...EMPTY_DRAFT, profile: subject.profile };
    return setUp('given', withTarget(draft, subject.arn, subject.found));
  });
  commands.register(Commands.pickRuntime, () => setUp('discovered'));
  commands.register(Commands.addRuntime, () => setUp('arn'));

  commands.register(ENTER_SECRET, async (name: string) => {
    const entry = store.find(name);
    if (entry?.authorization.kind !== 'oauth') return;
    const { clientId, tokenUrl } = entry.authorization;
    const secret = await askText({
      title: vscode.l10n.t('Client Secret of {0}', name),
      prompt: formatSecretPrompt(clientId, tokenUrl),
      placeholder: vscode.l10n.t('Client secret'),
      password: true,
      check: validateRequired,
    });
    if (secret === BACK) return;
    await secrets.store(entry, secret);
    await vscode.commands.executeCommand(Commands.startServer, { name });
  });

  commands.register(Commands.editRuntime, async (item?: unknown) => {
    const entry = resolveCommandTarget(item, store).entry ?? (await pickEntry(store));
    const setup = createSetupContext(parts, vscode.l10n.t('Edit {0}', entry.name));
    const draft = await askForChanges(setup, entry, { check, secrets });
    // An endpoint in the ARN becomes the qualifier. This is no change.
    const isSame =
      JSON.stringify({ ...draft, found: undefined, tools: undefined }) ===
      JSON.stringify(toDraft(entry));
    if (isSame) return;
    const write = () => save(parts, draft, entry.name);
    if (draft.name === entry.name) await servers.change(entry.name, write);
    else await write();
    await startServerAndShowTools(draft.name as string, servers, {
      known: draft.tools,
      isNew: false,
    });
  });
}

async function save(
  { store, secrets }: SetupParts,
  draft: RuntimeDraft,
  replaces?: string,
): Promise<void> {
  const name = draft.name as string;
  if (replaces !== undefined) await secrets.rename(replaces, name);
  // Write the entry last, because VS Code may start the server as soon as the entry exists.
  const written = toWrittenEntry(
    draft,
    replaces === undefined ? undefined : store.written(replaces),
  );
  if (draft.clientSecret !== undefined) await secrets.store(readEntry(written), draft.clientSecret);
  if (draft.authorization.kind !== 'oauth') await secrets.remove(name);
  await store.save(written, replaces ?? name);
}

/** Registers the commands that add runtimes, edit them and install them for other clients. */
export function registerSetup(
  context: vscode.ExtensionContext,
  parts: {
    readonly commands: CommandRegistry;
    readonly store: RuntimeStore;
    readonly servers: ServerController;
    readonly sessionsModel: SessionsModel;
    readonly secrets: ClientSecrets;
    readonly prompts: CredentialPrompts;
    readonly env: () => Environment;
    /** Returns the settings of the window as variables for a server. */
    readonly windowStep: PreparationStep;
    /** Rejects a workspace token command if the user has not confirmed it. */
    readonly tokenStep: PreparationStep;
    readonly review: SetupContext['review'];
    readonly proxy: string;
    readonly version: string;
  },
): void {
  const { commands, store, servers, secrets, env, windowStep, tokenStep, proxy, version } = parts;
  const startVariables = async (entry: RuntimeEntry) => {
    const signal = AbortSignal.timeout(NETWORK_TIMEOUT_MS);
    await tokenStep(entry, signal);
    const secret = await secrets.get(entry);
    return {
      ...(await windowStep(entry, signal)),
      ...(secret !== undefined && { AGENTCORE_OAUTH_CLIENT_SECRET: secret }),
    };
  };
  const setup = {
    ...parts,
    check: { proxy, startVariables },
    discovery: createWindowDiscovery(env),
  };
  registerSetupCommands(commands, setup);
  registerRuntimeCommands(commands, setup);
  registerTryLocally(commands, { store, servers });
  const globalStorage = context.globalStorageUri.fsPath;
  context.subscriptions.push(
    registerInstallForOtherClient(commands, { store, globalStorage, version }),
  );
}

const NETWORK_TIMEOUT_MS = 10_000;

/**
 * Returns a function that creates one discovery for the window, so all requests share one rate
 * limit. If the AWS files change, it creates a new discovery.
 */
function createWindowDiscovery(env: () => Environment): () => Promise<Discovery> {
  let kept: { readonly key: string; readonly discovery: Promise<Discovery> } | undefined;
  return () => {
    const now = env();
    const key = getAwsFilesKey(now);
    if (kept?.key !== key) kept = { key, discovery: openDiscovery(now) };
    return kept.discovery;
  };
}

/** Registers the command to run the sample on a local AgentCore, without an AWS account. */
function registerTryLocally(
  commands: CommandRegistry,
  parts: { readonly store: RuntimeStore; readonly servers: ServerController },
): void {
  const { store, servers } = parts;
  commands.register(Commands.tryLocally, async () => {
    const known = store.entries.find(isSample);
    const name = known?.name ?? suggestFreeName(store);
    if (!known) await store.save({ name, local: {} });
    await startServerAndShowTools(name, servers, { known: undefined, isNew: known === undefined });
  });
}

function isSample({ target }: RuntimeEntry): boolean {
  return (
    target.kind === 'local' && target.config === undefined && target.runtime === SAMPLE_RUNTIME
  );
}

function suggestFreeName(store: RuntimeStore): string {
  const found = { name: vscode.l10n.t('Sample (local)') } as never;
  return suggestName(
    { ...EMPTY_DRAFT, found },
    store.entries.map(({ name }) => name),
  );
}
