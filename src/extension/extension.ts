import * as vscode from 'vscode';
import type { WorkspaceCommand } from '../base/exec.ts';
import { registerApprovals } from './approvals/approval-commands.ts';
import { ApprovalsModel } from './approvals/approvals-watch.ts';
import { CommandRegistry } from './commands/command-registry.ts';
import { showError } from './commands/present-error.ts';
import { CommandConsent, REVIEW_COMMAND } from './consent/command-consent.ts';
import { prepareTokenCommand } from './consent/prepare-consent.ts';
import { PROVIDER_ID } from './contributions.ts';
import { openAwsLogin } from './credentials/aws-login.ts';
import { WindowPrompts } from './credentials/person.ts';
import { signIn } from './credentials/sign-in.ts';
import { registerDiagnosticsCommands } from './diagnostics/diagnostics-commands.ts';
import { SessionsModel } from './journal/journal-watch.ts';
import { LocalAgentCores, prepareLocal } from './local-agentcore/prepare-local.ts';
import { openLogChannel } from './log-channel.ts';
import { registerPolicies } from './policies/register-policies.ts';
import { registerAuditCommands } from './replay-log/audit-commands.ts';
import { ActivityModel } from './replay-log/audit-watch.ts';
import { registerReplayLogCommands } from './replay-log/replay-log-commands.ts';
import { ReplayLogView } from './replay-log/replay-log-view.ts';
import { registerRuntimes } from './runtimes/register-runtimes.ts';
import { RuntimeStore } from './runtimes/runtime-store.ts';
import { ServerController } from './servers/mcp-servers.ts';
import { prepareCredentials } from './servers/prepare-credentials.ts';
import { prepareWindow } from './servers/prepare-window.ts';
import { ServersModel } from './servers/running-servers.ts';
import { ServerPreparation } from './servers/server-preparation.ts';
import { McpDefinitionProvider } from './servers/server-provider.ts';
import { prepareVaultKey, VaultKey } from './servers/vault-key.ts';
import { BillingStatusBar } from './sessions/billing-status.ts';
import { offerToStopOrphans, registerSessionCommands } from './sessions/session-commands.ts';
import { SessionsView } from './sessions/sessions-view.ts';
import { ClientSecrets, prepareClientSecret } from './setup/client-secrets.ts';
import { registerSetup } from './setup/register-setup.ts';
import { getAwsFiles, getWindowEnvironment } from './window-environment.ts';
import { getWorkspaceFolder } from './workspace-folder.ts';

/** Creates all parts and registers them with VS Code. Nothing here waits for disk or network. */
export function activate(context: vscode.ExtensionContext): void {
  const { version } = context.extension.packageJSON as { readonly version: string };
  const log = openLogChannel();
  const commands = new CommandRegistry(log);
  // Extension tests run without a user to confirm commands.
  const isTest = context.extensionMode === vscode.ExtensionMode.Test;
  const consent = new CommandConsent(context.workspaceState, !isTest);
  const env = () => getWindowEnvironment(consent.digests('credential_process'));
  const store = new RuntimeStore();
  const journal = new SessionsModel(env, (role) => store.getExternalId(role));

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
      // After the steps that may confirm a command, because it passes the confirmations on. Before
      // the local AgentCore, because that step overrides some of its variables.
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
  const running = new ServersModel(journal);
  const servers = new ServerController({
    extensionId: context.extension.id,
    store,
    provider,
    running,
  });

  commands.register(REVIEW_COMMAND, review);
  const { onDidChange: onDidConfirm } = consent;
  const shown = { store, journal, servers, running, env, review, onDidConfirm };
  registerRuntimes(context, { commands, ...shown });
  const approvals = new ApprovalsModel(env);
  const sessionsView = new SessionsView(journal, approvals);
  const audit = new ActivityModel(env);
  const replayLog = new ReplayLogView(journal, audit);
  registerSessionCommands(commands, journal);
  registerAuditCommands(commands, env);
  registerPolicies(context, { commands, store, env, log });
  registerDiagnosticsCommands(commands, { log, store, journal, version });
  const parts = { commands, store, servers, journal, secrets, prompts, env };
  const steps = { windowStep, tokenStep };
  registerSetup(context, { ...parts, ...steps, review, proxy, version });

  context.subscriptions.push(
    log,
    commands,
    consent,
    store,
    journal,
    provider,
    locals,
    running,
    sessionsView,
    approvals,
    registerApprovals(commands, approvals),
    audit,
    replayLog,
    registerReplayLogCommands(commands, replayLog),
    new BillingStatusBar(journal),
    vscode.lm.registerMcpServerDefinitionProvider(PROVIDER_ID, provider),
  );
  // Loading these files blocks the extension host. Return to VS Code first.
  const beginning = setImmediate(() => {
    journal.start();
    approvals.start();
    void offerToStopOrphans(journal);
  });
  context.subscriptions.push({ dispose: () => clearImmediate(beginning) });
}
