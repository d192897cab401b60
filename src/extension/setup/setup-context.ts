import type { CredentialPrompts } from '../../aws/credentials/prompts.ts';
import type { Discovery } from '../../aws/discovery/discovery.ts';
import type { WorkspaceCommand } from '../../confirmed-commands.ts';
import type { Environment } from '../../environment.ts';
import type { RuntimeStore } from '../runtimes/runtime-store.ts';

/** What the questions of the setup share. */
export interface SetupContext {
  /** Above each question. */
  readonly title: string;
  readonly env: () => Environment;
  readonly store: RuntimeStore;
  /** Of this window, which keeps AWS's pace over all that is asked for. */
  readonly discovery: () => Promise<Discovery>;
  readonly prompts: CredentialPrompts;
  /** Signs in by the SSO session of a profile. @throws {AgentCoreError} where it has none. */
  readonly signIn: (profile: string | undefined) => Promise<void>;
  /** Shows a command of the workspace and asks whether it may run. */
  readonly review: (command: WorkspaceCommand) => Promise<boolean>;
  /** What `agentcore.discovery.*` says. */
  readonly places: () => {
    readonly profiles: readonly string[];
    readonly regions: readonly string[];
  };
}
