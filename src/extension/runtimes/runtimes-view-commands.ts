import type { Problem } from '../../aws/discovery/model.ts';
import { createMissingStatements, formatStatement } from '../../aws/iam/access-denied.ts';
import type { CommandRegistry } from '../commands/command-registry.ts';
import { showProblem } from '../commands/present-error.ts';
import type { Remedy } from '../commands/remedies.ts';
import { Commands } from '../contributions.ts';
import { SHOW_PROBLEM } from './runtime-items.ts';
import type { RuntimesView } from './runtimes-view.ts';

/** Registers the commands of the view "Runtimes". */
export function registerRuntimesViewCommands(commands: CommandRegistry, view: RuntimesView): void {
  commands.register(Commands.refreshRuntimes, () => view.refresh());
  // Not awaited: the command returns before the user closes the message.
  commands.register(SHOW_PROBLEM, (problem: Problem) => {
    void showProblem(problem.sentence, getProblemRemedies(problem));
  });
}

/** Returns the remedies for a discovery problem. */
export function getProblemRemedies({
  kind,
  login,
  denial,
  unconfirmed,
}: Problem): readonly Remedy[] {
  const again = { kind: 'refreshRuntimes' } as const;
  const statement = denial && createMissingStatements([denial])[0];
  switch (kind) {
    case 'credentials':
      if (unconfirmed) return [{ kind: 'reviewCommand', command: unconfirmed }, again];
      return login === undefined
        ? [{ kind: 'openAwsConfig' }, again]
        : [{ kind: 'signIn', profile: login }, again];
    case 'denied':
      return statement
        ? [{ kind: 'copyStatement', text: formatStatement(statement) }, again]
        : [again];
    case 'no-region':
      return [{ kind: 'discoverySettings' }, { kind: 'openAwsConfig' }];
    case 'network':
      return [{ kind: 'networkSettings' }, again];
    case 'throttled':
    case 'bound':
    case 'failed':
      return [again, { kind: 'showLogs' }];
  }
}
