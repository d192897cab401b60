import * as vscode from 'vscode';
import type { Environment } from '../../base/environment.ts';
import type { CommandRegistry } from '../commands/command-registry.ts';
import { pickEntry, resolveCommandTarget } from '../commands/command-subject.ts';
import { Commands } from '../contributions.ts';
import { signIn } from '../credentials/sign-in.ts';
import { readDiscoverySettings } from '../runtimes/discovery-settings.ts';
import { readEntry } from '../runtimes/runtime-entry.ts';
import type { RuntimeStore } from '../runtimes/runtime-store.ts';
import type { ServerController } from '../servers/mcp-servers.ts';
import { UserCancelledError } from '../servers/server-preparation.ts';
import { formatSecretPrompt } from './authorization-step.ts';
import type { CheckContext } from './check-step.ts';
import { type ClientSecrets, ENTER_SECRET } from './client-secrets.ts';
import { askText } from './quick-steps.ts';
import {
  EMPTY_DRAFT,
  type RuntimeDraft,
  toDraft,
  toWrittenEntry,
  withTarget,
} from './runtime-draft.ts';
import type { SetupContext } from './setup-context.ts';
import { askForChanges, askForRuntime, type TargetChoice } from './setup-wizard.ts';
import { startServerAndShowTools } from './start-and-list.ts';
import { BACK } from './step-flow.ts';
import { validateRequired } from './typed-input.ts';

export interface SetupParts {
  readonly env: () => Environment;
  readonly store: RuntimeStore;
  readonly servers: ServerController;
  readonly secrets: ClientSecrets;
  readonly check: CheckContext;
  readonly prompts: SetupContext['prompts'];
  readonly discovery: SetupContext['discovery'];
  readonly review: SetupContext['review'];
}

/** The common context of all questions under one title. */
export function createSetupContext(parts: SetupParts, title: string): SetupContext {
  const { env, store, prompts, discovery, review } = parts;
  return {
    title,
    env,
    store,
    prompts,
    discovery,
    review,
    async signIn(profile) {
      const until = await signIn({ profile }, { env: env(), force: true });
      if (!until) throw new UserCancelledError();
    },
    places: readDiscoverySettings,
  };
}

/** Registers the commands that add or edit an entry with a wizard. */
export function registerSetupCommands(commands: CommandRegistry, parts: SetupParts): void {
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
    // An endpoint in the ARN becomes the qualifier and does not count as a change.
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
  // Store the secret first, because VS Code may start the server as soon as the entry exists.
  const written = toWrittenEntry(
    draft,
    replaces === undefined ? undefined : store.written(replaces),
  );
  if (draft.clientSecret !== undefined) await secrets.store(readEntry(written), draft.clientSecret);
  if (draft.authorization.kind !== 'oauth') await secrets.remove(name);
  await store.save(written, replaces ?? name);
}
