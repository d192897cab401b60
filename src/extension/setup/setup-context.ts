import type { CredentialPrompts } from '../../aws/credentials/options.ts';
import type { Discovery } from '../../aws/discovery/discovery.ts';
import type { Environment } from '../../base/environment.ts';
import type { WorkspaceCommand } from '../../base/exec.ts';
import type { RuntimeStore } from '../runtimes/runtime-store.ts';

/** The common context of all questions of the setup. */
export interface SetupContext {
  /** Shown above each question. */
  readonly title: string;
  readonly env: () => Environment;
  readonly store: RuntimeStore;
  /** The window's discovery, with one rate limit for all requests. */
  readonly discovery: () => Promise<Discovery>;
  readonly prompts: CredentialPrompts;
  /** Signs in to the SSO session of a profile. @throws {AgentCoreError} if it has none. */
  readonly signIn: (profile: string | undefined) => Promise<void>;
  /** Shows a workspace command and prompts the user to allow it. */
  readonly review: (command: WorkspaceCommand) => Promise<boolean>;
  /** The settings `agentcore.discovery.*`. */
  readonly places: () => {
    readonly profiles: readonly string[];
    readonly regions: readonly string[];
  };
}
