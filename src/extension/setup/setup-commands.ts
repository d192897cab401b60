import * as vscode from 'vscode';
import type { Environment } from '../../environment.ts';
import type { CommandRegistry } from '../commands/command-registry.ts';
import { pickEntry, subjectOf } from '../commands/command-subject.ts';
import { Commands } from '../contributions.ts';
import { signIn } from '../credentials/sign-in.ts';
import { readDiscoverySettings } from '../runtimes/discovery-settings.ts';
import { readEntry } from '../runtimes/runtime-entry.ts';
import type { RuntimeStore } from '../runtimes/runtime-store.ts';
import type { McpServers } from '../servers/mcp-servers.ts';
import { Cancelled } from '../servers/server-preparation.ts';
import { secretPrompt } from './authorization-step.ts';
import type { CheckContext } from './check-step.ts';
import { type ClientSecrets, ENTER_SECRET } from './client-secrets.ts';
import { input } from './quick-steps.ts';
import { draftOf, EMPTY_DRAFT, type RuntimeDraft, withTarget, writtenOf } from './runtime-draft.ts';
import type { SetupContext } from './setup-context.ts';
import { askForChanges, askForRuntime, type TargetChoice } from './setup-wizard.ts';
import { startAndList } from './start-and-list.ts';
import { BACK } from './step-flow.ts';
import { requiredVerdict } from './typed-input.ts';

export interface SetupParts {
  readonly env: () => Environment;
  readonly store: RuntimeStore;
  readonly servers: McpServers;
  readonly secrets: ClientSecrets;
  readonly check: CheckContext;
  readonly prompts: SetupContext['prompts'];
  readonly discovery: SetupContext['discovery'];
  readonly review: SetupContext['review'];
}

/** The common context of all questions under one title. */
export function setupContext(parts: SetupParts, title: string): SetupContext {
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
      if (!until) throw new Cancelled();
    },
    places: readDiscoverySettings,
  };
}

/** Registers the commands that add or edit an entry with a wizard. */
export function registerSetupCommands(commands: CommandRegistry, parts: SetupParts): void {
  const { store, servers, secrets, check } = parts;

  const setUp = async (choice: TargetChoice, begin?: RuntimeDraft) => {
    const setup = setupContext(parts, vscode.l10n.t('Set Up Runtime'));
    const draft = await askForRuntime(setup, { check, secrets, choice, begin });
    await save(parts, draft);
    await startAndList(draft.name as string, servers, { known: draft.tools, isNew: true });
  };

  commands.register(Commands.setUpRuntime, async (item?: unknown) => {
    const subject = subjectOf(item, store);
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
    const secret = await input({
      title: vscode.l10n.t('Client Secret of {0}', name),
      prompt: secretPrompt(clientId, tokenUrl),
      placeholder: vscode.l10n.t('Client secret'),
      password: true,
      check: requiredVerdict,
    });
    if (secret === BACK) return;
    await secrets.store(entry, secret);
    await vscode.commands.executeCommand(Commands.startServer, { name });
  });

  commands.register(Commands.editRuntime, async (item?: unknown) => {
    const entry = subjectOf(item, store).entry ?? (await pickEntry(store));
    const setup = setupContext(parts, vscode.l10n.t('Edit {0}', entry.name));
    const draft = await askForChanges(setup, entry, { check, secrets });
    // An endpoint in the ARN becomes the qualifier and does not count as a change.
    const isSame =
      JSON.stringify({ ...draft, found: undefined, tools: undefined }) ===
      JSON.stringify(draftOf(entry));
    if (isSame) return;
    const write = () => save(parts, draft, entry.name);
    if (draft.name === entry.name) await servers.change(entry.name, write);
    else await write();
    await startAndList(draft.name as string, servers, { known: draft.tools, isNew: false });
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
  const written = writtenOf(draft, replaces === undefined ? undefined : store.written(replaces));
  if (draft.clientSecret !== undefined) await secrets.store(readEntry(written), draft.clientSecret);
  if (draft.authorization.kind !== 'oauth') await secrets.remove(name);
  await store.save(written, replaces ?? name);
}
