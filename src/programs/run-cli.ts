import { Command, CommanderError, InvalidArgumentError } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { askedToEnd } from './ending.ts';
import type { ProgramStreams } from './main.ts';
import type { LogOptions } from './run-log.ts';
import type { SessionVerbs } from './run-sessions.ts';
import type { SmokeOptions } from './run-smoke.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The command line, `agentcore-mcp`. Each verb loads its own program when it is called.
 *
 * @param argv As Node gives it: program, script, then the arguments.
 * @returns the exit code: 2 for bad usage.
 */
export async function runCli(
  argv: readonly string[],
  env: Environment,
  streams: ProgramStreams,
): Promise<number> {
  let code = 0;
  const cli = new Command('agentcore-mcp')
    .description('MCP servers on Amazon Bedrock AgentCore Runtime, for any MCP client')
    .version(packageJson.version)
    .configureOutput({
      writeOut: (text) => streams.stdout.write(text),
      writeErr: (text) => streams.stderr.write(text),
    })
    .exitOverride()
    .showHelpAfterError('Try: agentcore-mcp --help');

  cli
    .command('proxy')
    .description('talk MCP on stdin and stdout with a runtime, as the environment says')
    .addHelpText('after', PROXY_ENVIRONMENT)
    .action(async () => {
      const { runProxy } = await import('./run-proxy.ts');
      code = await runProxy(env, streams);
    });

  cli
    .command('bridge')
    .description('serve an MCP server on stdio by HTTP, inside a runtime, as the environment says')
    .addHelpText('after', BRIDGE_ENVIRONMENT)
    .action(async () => {
      const { runBridge } = await import('./run-bridge.ts');
      code = await runBridge(env, streams);
    });

  cli
    .command('local')
    .description('serve a local AgentCore, on which your MCP servers run as they do on AWS')
    .option('--config <file>', 'the configuration file (default: agentcore-local.yaml)')
    .option('--port <number>', 'the loopback port, 0 for any (default: 8787)', readPort)
    .option('--fault <rule>', 'a fault to inject; may be repeated', append)
    .option('--json', 'a JSON object a line, for scripts')
    .action(async ({ config, port, fault, json }: LocalArguments) => {
      const { runLocal } = await import('./run-local.ts');
      code = await runLocal(
        { config, port, faults: fault, json },
        { ...streams, signals: process },
      );
    });

  cli
    .command('smoke')
    .description('try a runtime through the proxy, step by step, as the environment says')
    .option('--runtime <arn>', 'the runtime (default: AGENTCORE_AGENT_ARN)')
    .option('--tool <name>', 'the tool to call (default: one that only reads)')
    .option('--args <json>', 'its arguments (default: what its schema requires)')
    .option('--sample <tool>', 'a tool that asks the model; TOOL=JSON gives its arguments')
    .option('--elicit <tool>', 'a tool that asks the user, likewise')
    .option('--progress <tool>', 'a tool that reports progress, likewise')
    .option('--protocol <revision>', 'the revision of MCP to insist on, such as 2026-07-28')
    .option('--timeout <seconds>', 'for each step (default: 60)', readSeconds)
    .option('--json', 'a JSON object a line, for scripts')
    .addHelpText('after', SMOKE_NOTES)
    .action(async (options: SmokeOptions) => {
      const { runSmoke } = await import('./run-smoke.ts');
      code = await runSmoke(options, env, streams);
    });

  addSessions(cli, env, streams, (exitCode) => {
    code = exitCode;
  });

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
      const { runLog } = await import('./run-log.ts');
      const ending = new AbortController();
      const end = () => ending.abort();
      // `log | head` has what it wants, which is no failure.
      streams.stdout.on('error', end).on('close', end);
      if (options.follow) void askedToEnd(streams).then(end);
      code = await runLog(options, env, streams, ending.signal);
    });

  try {
    await cli.parseAsync(argv);
    return code;
  } catch (thrown) {
    // Help and version end this way too, with 0.
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
    throw thrown;
  }
}

function addSessions(
  cli: Command,
  env: Environment,
  streams: ProgramStreams,
  exit: (code: number) => void,
): void {
  const verbs = async (): Promise<SessionVerbs> => {
    const { SessionVerbs: Verbs } = await import('./run-sessions.ts');
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
    .action(async (options: { readonly all?: boolean; readonly json?: boolean }) =>
      exit(await (await verbs()).list(options)),
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
        const ending = new AbortController();
        for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => ending.abort());
        exit(await (await verbs()).stop({ ids, ...options }, ending.signal));
      },
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

interface LocalArguments {
  readonly config?: string;
  readonly port?: number;
  readonly fault?: readonly string[];
  readonly json?: boolean;
}

const PROXY_ENVIRONMENT = `
Environment:
  AGENTCORE_AGENT_ARN                 ARN of the runtime (or AGENT_ARN); required
  AGENTCORE_QUALIFIER                 endpoint to invoke (default: DEFAULT)
  AWS_PROFILE                         profile whose credentials sign
  RUNTIME_SESSION_MODE                session (default), identity or request
  AGENTCORE_ASSUME_ROLE_ARN           role to assume first
  AGENTCORE_ASSUME_ROLE_SESSION_NAME  its session name (default: mcpAgentCoreProxy)
  AGENTCORE_READ_TIMEOUT              seconds of silence to bear (default: 900)
  AGENTCORE_CONNECT_TIMEOUT           seconds until a connection stands (default: 10)
  AGENTCORE_RETRIES                   how often a failed call is sent again where that is
                                      safe (default: 4; 0: never)
  AGENTCORE_KEEP_ALIVE                seconds of silence after which progress is reported
                                      for a call (default: never)
  AGENTCORE_STOP_ON_EXIT              stop sessions at the end (default: true, but false in
                                      mode identity)
  AGENTCORE_STATE_DIR                 where sessions and calls are on record
  AGENTCORE_JOURNAL_CONTENT           true: record arguments and results, redacted
  LOG_LEVEL, MCP_PROXY_DEBUG=1        what is also logged to stderr
`;

const BRIDGE_ENVIRONMENT = `
Environment:
  MCP_SERVER_CMD  command that starts the MCP server; required
  MCP_SERVER_CWD  folder to start it in
  SERVER_HOST     address to listen on (default: 0.0.0.0)
  SERVER_PORT     port to listen on (default: 8080 and 8000)
  LOG_LEVEL       what is logged to stderr (default: info)
`;

const SMOKE_NOTES = `
Without --sample, --elicit and --progress, the tools tell_story, create_profile and count_down are
called where the server has them. A step for which it has nothing is skipped.

The environment is that of the proxy: agentcore-mcp proxy --help

Exit codes: 0 all is well, 2 bad usage, else the first step that failed:
  10 initialize, 11 list, 12 call, 13 sample, 14 elicit, 15 progress, 16 stop
`;

const STATE_ENVIRONMENT = `
Environment:
  AGENTCORE_STATE_DIR  folder that all programs keep their journal in (default: the system's place)
`;

const STOP_NOTES = `
A session is stopped by the profile and role that it was used with, else by those of the environment.

Exit codes: 0 all are stopped or were gone, 1 one could not be stopped and stays listed, 2 bad usage
`;

function readPort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new InvalidArgumentError('It must be a whole number from 0 to 65535.');
}

function readSeconds(text: string): number {
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds > 0 && seconds <= 3600) return seconds;
  throw new InvalidArgumentError('It must be a number of seconds above 0 and up to 3600.');
}

function readCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new InvalidArgumentError('It must be a whole number above 0.');
}

function readDays(text: string): number {
  const days = Number(text);
  if (text.trim() !== '' && Number.isFinite(days) && days >= 0) return days;
  throw new InvalidArgumentError('It must be a number of days, 0 or more.');
}

function append(rule: string, rules: readonly string[] = []): readonly string[] {
  return [...rules, rule];
}
