import type * as vscode from 'vscode';
import type { CredentialPrompts } from '../../aws/credentials/options.ts';
import type { Discovery } from '../../aws/discovery/discovery.ts';
import type { Environment } from '../../base/environment.ts';
import { registerInstallForOtherClient } from '../clients/install-command.ts';
import type { CommandRegistry } from '../commands/command-registry.ts';
import { registerRuntimeCommands } from '../commands/runtime-commands.ts';
import type { SessionsModel } from '../journal/journal-watch.ts';
import { registerTryLocally } from '../local-agentcore/try-locally.ts';
import { openDiscovery } from '../runtimes/discoveries.ts';
import type { RuntimeEntry } from '../runtimes/runtime-entry.ts';
import type { RuntimeStore } from '../runtimes/runtime-store.ts';
import type { ServerController } from '../servers/mcp-servers.ts';
import type { PreparationStep } from '../servers/server-preparation.ts';
import { getAwsFilesKey } from '../window-environment.ts';
import type { ClientSecrets } from './client-secrets.ts';
import { registerSetupCommands } from './setup-commands.ts';
import type { SetupContext } from './setup-context.ts';

/** Registers the commands that add runtimes, edit them and install them for other clients. */
export function registerSetup(
  context: vscode.ExtensionContext,
  parts: {
    readonly commands: CommandRegistry;
    readonly store: RuntimeStore;
    readonly servers: ServerController;
    readonly journal: SessionsModel;
    readonly secrets: ClientSecrets;
    readonly prompts: CredentialPrompts;
    readonly env: () => Environment;
    /** Adds the window's settings to a server's environment. */
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
    check: { proxy, version, startVariables },
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
 * One discovery per window, so that all requests share one rate limit. A change of the AWS files
 * creates a new one.
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
