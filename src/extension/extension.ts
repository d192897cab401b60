import * as vscode from 'vscode';
import type { WorkspaceCommand } from '../base/exec.ts';
import { registerAuditCommands, registerReplayLogCommands } from './commands/activity-commands.ts';
import { registerDiagnosticsCommands } from './commands/diagnostics-commands.ts';
import { registerApprovals, registerPolicies } from './commands/policy-commands.ts';
import { registerRuntimes } from './commands/runtime-commands.ts';
import { offerToStopOrphans, registerSessionCommands } from './commands/session-commands.ts';
import { registerSetup } from './commands/setup-commands.ts';
import { ActivityModel } from './models/activity-model.ts';
import { ApprovalsModel } from './models/approvals-model.ts';
import { ServersModel } from './models/servers-model.ts';
import { SessionsModel } from './models/sessions-model.ts';
import { CommandConsent, prepareTokenCommand, REVIEW_COMMAND } from './servers/command-consent.ts';
import { McpDefinitionProvider } from './servers/definition-provider.ts';
import { LocalAgentCores, prepareLocal } from './servers/local-agentcore.ts';
import { prepareCredentials, prepareWindow, ServerPreparation } from './servers/preparation.ts';
import {
  ClientSecrets,
  prepareClientSecret,
  prepareVaultKey,
  VaultKey,
} from './servers/secrets.ts';
import { ServerController } from './servers/server-control.ts';
import { PROVIDER_ID } from './settings/contributions.ts';
import { RuntimeStore } from './settings/runtime-store.ts';
import {
  getAwsFiles,
  getWindowEnvironment,
  getWorkspaceFolder,
} from './settings/window-settings.ts';
import { CommandRegistry, openLogChannel } from './ui/command-registry.ts';
import { showError } from './ui/errors.ts';
import { openAwsLogin, signIn, WindowPrompts } from './ui/sign-in.ts';
import { ActivityView } from './views/activity-view.ts';
import { SessionsView } from './views/sessions-view.ts';
import { BillingStatusBar } from './views/status-bar.ts';

/**
 * Creates all parts of the extension and registers them with VS Code. Nothing here waits for the
 * disk or the network.
 */
export function activate(context: vscode.ExtensionContext): void {
  const { version } = context.extension.packageJSON as { readonly version: string };
  const log = openLogChannel();
  const commands = new CommandRegistry(log);
  // No user can confirm commands in extension tests.
  const isTest = context.extensionMode === vscode.ExtensionMode.Test;
  const consent = new CommandConsent(context.workspaceState, !isTest);
  const env = () => getWindowEnvironment(consent.digests('credential_process'));
  const store = new RuntimeStore();
  const sessionsModel = new SessionsModel(env, (role) => store.getExternalId(role));

  const review = (command: WorkspaceCommand) => consent.confirm(command);
  const prompts = new WindowPrompts(async (profile, signal) => {
    if (await openAwsLogin(profile, env(), review)) return true;
    return (await signIn({ profile }, { env: env(), signal, force: true })) !== undefined;
  });
  const secrets = new ClientSecrets(context.secrets);
  const locals = new LocalAgentCores(
    { program: context.asAbsolutePath('dist/cli.js'), env, log: (line) => log.info(line) },
    {
      storage: context.globalStorageUri.fsPath,
      sampleServer: context.asAbsolutePath('dist/sample-server.js'),
      folder: getWorkspaceFolder,
    },
  );
  const windowStep = prepareWindow(env);
  const tokenStep = prepareTokenCommand(consent);
  const preparation = new ServerPreparation(
    [
      prepareCredentials({ env, prompts }),
      tokenStep,
      prepareClientSecret(secrets, consent),
      prepareVaultKey(new VaultKey(context.secrets), (line) => log.warn(line)),
      // After the steps that may confirm a command, because this step passes the confirmations on.
      // Before the local AgentCore, because it overrides some of the variables.
      windowStep,
      prepareLocal(locals, consent),
    ],
    (thrown, entry) => void showError(thrown, entry),
    (thrown) => consent.confirmNeeded(thrown),
  );
  const proxy = context.asAbsolutePath('dist/proxy.js');
  const provider = new McpDefinitionProvider({
    store,
    preparation,
    extension: { version, proxy },
    shared: getAwsFiles,
  });
  const running = new ServersModel(sessionsModel);
  const servers = new ServerController({
    extensionId: context.extension.id,
    store,
    provider,
    running,
  });

  commands.register(REVIEW_COMMAND, review);
  const { onDidChange: onDidConfirm } = consent;
  const shown = { store, sessionsModel, servers, running, env, review, onDidConfirm };
  registerRuntimes(context, { commands, ...shown });
  const approvals = new ApprovalsModel(env);
  const sessionsView = new SessionsView(sessionsModel, approvals);
  const activity = new ActivityModel(sessionsModel, env);
  const replayLog = new ActivityView(activity);
  registerSessionCommands(commands, sessionsModel);
  registerAuditCommands(commands, env);
  registerPolicies(context, { commands, store, env, log });
  registerDiagnosticsCommands(commands, { log, store, sessionsModel, version });
  const parts = { commands, store, servers, sessionsModel, secrets, prompts, env };
  const steps = { windowStep, tokenStep };
  registerSetup(context, { ...parts, ...steps, review, proxy, version });

  context.subscriptions.push(
    log,
    commands,
    consent,
    store,
    sessionsModel,
    provider,
    locals,
    running,
    sessionsView,
    approvals,
    registerApprovals(commands, approvals),
    activity,
    replayLog,
    registerReplayLogCommands(commands, replayLog),
    new BillingStatusBar(sessionsModel),
    vscode.lm.registerMcpServerDefinitionProvider(PROVIDER_ID, provider),
  );
  // These calls load modules, which blocks the extension host. `setImmediate` lets VS Code finish
  // the activation first.
  const beginning = setImmediate(() => {
    sessionsModel.start();
    approvals.start();
    void offerToStopOrphans(sessionsModel);
  });
  context.subscriptions.push({ dispose: () => clearImmediate(beginning) });
}
