import type { Command } from 'commander';
import type { LogOptions } from '../run-log.ts';
import type { SessionsCommand } from '../run-sessions.ts';
import { createShutdownSignal, readCount, readDays, type VerbGroup } from './verb-group.ts';

/** Verbs that read the journal of all programs: sessions with their costs, and the log. */
export function addJournalVerbs(group: VerbGroup): void {
  addSessions(group);
  addLog(group);
}

function addSessions({ cli, env, streams, exit }: VerbGroup): void {
  const verbs = async (): Promise<SessionsCommand> => {
    const { SessionsCommand: Verbs } = await import('../run-sessions.ts');
    streams.stdout.on('error', () => undefined);
    return new Verbs(env, streams);
  };
  const sessions = cli
    .command('sessions')
    .description('list, show and stop the runtime sessions of all programs, and what they cost')
    .addHelpText('after', STATE_ENVIRONMENT);
  sessions
    .command('list', { isDefault: true })
    .description('those that may bill, and those that ended within a day')
    .option('--all', 'also those that ended before')
    .option('--json', 'all of them as a JSON array, for scripts')
    .allowExcessArguments()
    .action(
      async (options: { readonly all?: boolean; readonly json?: boolean }, { args }: Command) => {
        // Commander passes unknown verbs to the default verb, so a typing error arrives here.
        if (args[0] !== undefined) sessions.error(`error: unknown command '${args[0]}'`);
        exit(await (await verbs()).list(options));
      },
    );
  sessions
    .command('show <id>')
    .description('one of them, by any of its ids or the beginning of ours, and its last records')
    .option('--json', 'as a JSON object, for scripts')
    .action(async (id: string, options: { readonly json?: boolean }) =>
      exit(await (await verbs()).show(id, options)),
    );
  sessions
    .command('stop [id...]')
    .description('stop sessions, so that they cost nothing any more')
    .option('--all', 'all that may bill, those in use included')
    .option('--orphaned', 'those whose program is gone')
    .addHelpText('after', STOP_NOTES)
    .action(
      async (
        ids: readonly string[],
        options: { readonly all?: boolean; readonly orphaned?: boolean },
      ) => {
        const choice = { ids, ...options };
        exit(await (await verbs()).stop(choice, createShutdownSignal(streams)));
      },
    );
  sessions
    .command('dismiss [id...]')
    .description('take orphaned sessions off the list that cannot be stopped')
    .option('--orphaned', 'all whose program is gone')
    .action(async (ids: readonly string[], options: { readonly orphaned?: boolean }) =>
      exit(await (await verbs()).dismiss({ ids, ...options })),
    );
  sessions
    .command('prune')
    .description('remove from the journal what no session that may run needs')
    .option('--older-than <days>', 'what was written before (default: 1)', readDays)
    .option('--json', 'as a JSON object, for scripts')
    .action(async (options: { readonly olderThan?: number; readonly json?: boolean }) =>
      exit(await (await verbs()).prune(options)),
    );
}

function addLog({ cli, env, streams, exit }: VerbGroup): void {
  cli
    .command('log')
    .description('show what all programs have put on record: sessions, calls and errors')
    .option('--follow', 'go on with what is written from now on, until Ctrl-C')
    .option('--session <id>', 'of one session, by any of its ids or the beginning of ours')
    .option('--errors', 'what went wrong')
    .option('--replays', 'handshakes that were repeated')
    .option('--calls', 'requests and how they ended')
    .option('--limit <number>', 'so many of the latest (default: 100)', readCount)
    .option('--json', 'a JSON object a line, for scripts')
    .addHelpText('after', STATE_ENVIRONMENT)
    .action(async (options: LogOptions) => {
      const { runLog } = await import('../run-log.ts');
      exit(await runLog(options, env, streams, createShutdownSignal(streams)));
    });
}

const STATE_ENVIRONMENT = `
Environment:
  AGENTCORE_STATE_DIR  folder that all programs keep their journal in
                       (default: the system's place)
`;

const STOP_NOTES = `
A session is stopped by the profile and role that it was used with, else by
those of the environment.

Exit codes: 0 all are stopped or were gone, 1 one could not be stopped and stays
listed, 2 bad usage
`;
