import type { CredentialPrompts } from '../../aws/credentials/options.ts';
import type { Discovery } from '../../aws/discovery/discovery.ts';
import type { Environment } from '../../base/environment.ts';
import type { WorkspaceCommand } from '../../base/exec.ts';
import { UserCancelledError } from '../servers/preparation.ts';
import type { ClientSecrets } from '../servers/secrets.ts';
import type { ServerController } from '../servers/server-control.ts';
import type { RuntimeEntry } from '../settings/runtime-entry.ts';
import type { RuntimeStore } from '../settings/runtime-store.ts';
import type { ServerEnvironment } from '../settings/server-environment.ts';
import { readDiscoverySettings } from '../settings/window-settings.ts';
import { signIn } from '../ui/sign-in.ts';

/** The additional parameters of the check. */
export interface CheckContext {
  /** The path of `proxy.js`. */
  readonly proxy: string;
  /** Returns the variables for a start: the network settings, and the stored client secret. */
  readonly startVariables: (entry: RuntimeEntry) => Promise<ServerEnvironment>;
}

/** The parts of all setups in a window. */
export interface SetupParts extends Omit<SetupContext, 'title' | 'signIn' | 'places'> {
  readonly servers: ServerController;
  readonly secrets: ClientSecrets;
  readonly check: CheckContext;
}

/** Creates the context of all questions with one title. */
export function createSetupContext(parts: SetupParts, title: string): SetupContext {
  return {
    ...parts,
    title,
    places: readDiscoverySettings,
    async signIn(profile) {
      const until = await signIn({ profile }, { env: parts.env(), force: true });
      if (!until) throw new UserCancelledError();
    },
  };
}

/** The context of all questions with one title. */
export interface SetupContext {
  /** Shown above each question. */
  readonly title: string;
  readonly env: () => Environment;
  readonly store: RuntimeStore;
  /** The discovery of the window, with one rate limit for all requests. */
  readonly discovery: () => Promise<Discovery>;
  readonly prompts: CredentialPrompts;
  /** Signs in to the SSO session of a profile. Rejects if the user cancels or there is none. */
  readonly signIn: (profile: string | undefined) => Promise<void>;
  /** Shows a workspace command and prompts the user to allow it. */
  readonly review: (command: WorkspaceCommand) => Promise<boolean>;
  /** The settings `agentcore.discovery.*`. */
  readonly places: () => {
    readonly profiles: readonly string[];
    readonly regions: readonly string[];
  };
}
