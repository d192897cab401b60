import * as vscode from 'vscode';
import type { Environment } from '../../base/environment.ts';
import type { WorkspaceCommand } from '../../base/exec.ts';
import { DiscoveryModel } from '../models/discovery-model.ts';
import { IdentitiesModel } from '../models/identities-model.ts';
import { ProfilesModel } from '../models/profiles-model.ts';
import type { ServersModel } from '../models/servers-model.ts';
import type { SessionsModel } from '../models/sessions-model.ts';
import { McpAvailability, type ServerController } from '../servers/server-control.ts';
import type { RuntimeStore } from '../settings/runtime-store.ts';
import type { CommandRegistry } from '../ui/command-registry.ts';
import { CredentialsView } from '../views/credentials-view.ts';
import { RuntimesView } from '../views/runtimes-view.ts';
import { registerCredentialCommands } from './credential-commands.ts';
import { registerRuntimesViewCommands } from './runtime-commands.ts';
import { registerServerCommands } from './server-commands.ts';

/**
 * Registers the views "Runtimes" and "Credentials" and their commands. Both views share the cached
 * identities and the watch of the AWS files.
 */
export function registerRuntimes(
  context: Pick<vscode.ExtensionContext, 'subscriptions'>,
  parts: {
    readonly commands: CommandRegistry;
    readonly store: RuntimeStore;
    readonly journal: SessionsModel;
    readonly servers: ServerController;
    readonly running: ServersModel;
    readonly env: () => Environment;
    /** Shows a workspace command and prompts the user to allow it. */
    readonly review: (command: WorkspaceCommand) => Promise<boolean>;
    /** Fires when the user confirms a command, which may then run. */
    readonly onDidConfirm: vscode.Event<void>;
  },
): void {
  const {
    commands,
    store,
    journal: sessionsModel,
    servers,
    running,
    env,
    review,
    onDidConfirm,
  } = parts;
  const identities = new IdentitiesModel(env);
  const profiles = new ProfilesModel(env);
  const discoveries = new DiscoveryModel(env);
  const onChange = () => {
    credentials.refresh();
    runtimes.reset();
  };
  const files = new ProfileWatch(env, { onChange, onLogin: () => credentials.refresh() });
  const onShow = () => files.begin();
  const runtimes = new RuntimesView({ store, running, discoveries, identities, env, onShow });
  const credentials = new CredentialsView({ profiles, identities, onShow });
  registerServerCommands(commands, { store, servers, running, journal: sessionsModel });
  registerRuntimesViewCommands(commands, runtimes);
  registerCredentialCommands(commands, { env, onChange, review });
  const mcpSwitch = new McpAvailability((sentence) => {
    runtimes.message = sentence;
  });
  context.subscriptions.push(onDidConfirm(onChange));
  context.subscriptions.push(
    mcpSwitch,
    identities,
    profiles,
    discoveries,
    runtimes,
    credentials,
    files,
  );
}

/** Callbacks for changes of the watched files. */
interface ChangeCallbacks {
  /** Called after a change of the shared AWS files or their paths. */
  readonly onChange: () => void;
  /** Called after a sign-in, a sign-out or a token refresh. */
  readonly onLogin: () => void;
}

/**
 * Watches the shared AWS files and the SSO logins. Starts when a view becomes visible. Restarts if
 * the settings change the paths.
 */
class ProfileWatch implements vscode.Disposable {
  readonly #env: () => Environment;
  readonly #told: ChangeCallbacks;
  readonly #subscription: vscode.Disposable;
  #watching: AbortController | undefined;

  constructor(env: () => Environment, told: ChangeCallbacks) {
    this.#env = env;
    this.#told = told;
    this.#subscription = vscode.workspace.onDidChangeConfiguration((event) => {
      if (!event.affectsConfiguration('agentcore.aws')) return;
      if (this.#watching) {
        this.#watching.abort();
        this.#watch();
      }
      told.onChange();
    });
  }

  begin(): void {
    if (!this.#watching) this.#watch();
  }

  dispose(): void {
    this.#watching?.abort();
    this.#subscription.dispose();
  }

  #watch(): void {
    const watching = new AbortController();
    this.#watching = watching;
    const { onChange, onLogin } = this.#told;
    void Promise.all([
      import('../../aws/credentials/profiles.ts'),
      import('../../aws/sso/token-cache.ts'),
    ]).then(([{ watchProfiles }, { watchLogins }]) => {
      watchProfiles(this.#env(), onChange, watching.signal);
      watchLogins(this.#env(), onLogin, watching.signal);
    });
  }
}
