import { createHash } from 'node:crypto';
import type { Environment } from './environment.ts';
import { AgentCoreError } from './error.ts';

/**
 * Variables by which VS Code limits its programs to the commands of a workspace that a person has
 * confirmed: SHA-256 digests with commas between them, or `none`. Without the variable, all may run.
 */
export const CONFIRMED_PROCESSES = 'AGENTCORE_CONFIRMED_PROCESSES';
export const CONFIRMED_CONFIG = 'AGENTCORE_CONFIRMED_CONFIG';

/** What a person has to confirm before it is used. */
export interface WorkspaceCommand {
  readonly kind: 'credential_process' | 'tokenCommand' | 'localConfig' | 'environmentSecret';
  /** The command line, the whole configuration, or the receiver of the secret. */
  readonly text: string;
}

/** The cause of an error that ends when a person confirms the command. */
export class UnconfirmedCommand extends Error {
  override readonly name = 'UnconfirmedCommand';
  readonly command: WorkspaceCommand;

  constructor(command: WorkspaceCommand) {
    super('The command is not confirmed');
    this.command = command;
  }
}

/** The command that a person has to confirm, if that is what an error, or one of its causes, needs. */
export function findUnconfirmed(thrown: unknown): WorkspaceCommand | undefined {
  let at = thrown;
  for (let depth = 0; depth < MAX_DEPTH && at instanceof Error; depth += 1) {
    // By its name: VS Code runs two bundles that have this class.
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
 * Checks a command against the variable of the environment that lists the confirmed ones.
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
