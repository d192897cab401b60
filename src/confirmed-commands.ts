import { createHash } from 'node:crypto';
import type { Environment } from './environment.ts';
import { AgentCoreError } from './error.ts';

/**
 * Environment variables by which VS Code restricts its programs to confirmed workspace commands.
 * The value is `none` or a comma-separated list of SHA-256 digests. Without the variable, all
 * commands may run.
 */
export const CONFIRMED_PROCESSES = 'AGENTCORE_CONFIRMED_PROCESSES';

export const CONFIRMED_CONFIG = 'AGENTCORE_CONFIRMED_CONFIG';

/** A command or file of the workspace, to be confirmed by the user before its use. */
export interface WorkspaceCommand {
  readonly kind:
    | 'credential_process'
    | 'tokenCommand'
    | 'localConfig'
    | 'environmentSecret'
    | 'awsLogin';
  /** The command line, the whole configuration with it, or the receiver of the secret. */
  readonly text: string;
}

/** Error cause. The user can resolve the error by confirming the command. */
export class UnconfirmedCommand extends Error {
  override readonly name = 'UnconfirmedCommand';
  readonly command: WorkspaceCommand;

  constructor(command: WorkspaceCommand) {
    super('The command is not confirmed');
    this.command = command;
  }
}

/** Finds the unconfirmed command in an error or its causes. */
export function findUnconfirmed(thrown: unknown): WorkspaceCommand | undefined {
  let at = thrown;
  for (let depth = 0; depth < MAX_DEPTH && at instanceof Error; depth += 1) {
    // Compare by name: two bundles in VS Code contain this class.
    if (at.name === 'UnconfirmedCommand') return (at as UnconfirmedCommand).command;
    at = at.cause;
  }
  return undefined;
}

const MAX_DEPTH = 6;

export function digestCommand({ text }: Pick<WorkspaceCommand, 'text'>): string {
  return createHash('sha256').update(text).digest('hex');
}

/**
 * Checks the command against the confirmed ones in the environment.
 *
 * @throws {AgentCoreError} `credentials` or `config`, with an {@link UnconfirmedCommand} as cause.
 */
export function requireConfirmed(
  command: WorkspaceCommand,
  env: Environment,
  sentence: string,
): void {
  const isConfig = command.kind === 'localConfig';
  const confirmed = env[isConfig ? CONFIRMED_CONFIG : CONFIRMED_PROCESSES];
  if (!confirmed || confirmed.split(',').includes(digestCommand(command))) return;
  throw new AgentCoreError(isConfig ? 'config' : 'credentials', sentence, {
    cause: new UnconfirmedCommand(command),
  });
}
