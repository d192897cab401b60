import { Command, CommanderError, InvalidArgumentError } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import type { Environment } from '../base/environment.ts';
import { type ProgramStreams, waitForShutdown } from '../programs/main.ts';
import type { AccountsArguments, WhoAmIArguments } from './accounts.ts';
import type { IamArguments } from './iam.ts';
import type { AuditFindOptions, AuditVerifyOptions, LogOptions } from './log.ts';
import type { LoginArguments, LogoutArguments } from './login.ts';
import type { PolicyExplainOptions, PolicyInitOptions, PolicyTestOptions } from './policy.ts';
import type { RuntimesArguments } from './runtimes.ts';
import type { SessionsCommand } from './sessions.ts';
import type { SmokeOptions } from './smoke.ts';

// The command line: verbs, options and help texts.

/**
 * Runs the `agentcore-mcp` command. Each verb loads its code when it is called.
 *
 * @param argv As in Node: program, script, arguments.
 * @returns the exit code; 2 for invalid usage.
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
    .exitOverride();

  const group = {
    cli,
    env,
    streams,
    exit: (exitCode: number) => {
      code = exitCode;
    },
  };
  addRelayVerbs(group);
  addAccountVerbs(group);
  addJournalVerbs(group);
  addPolicyVerbs(group);
  setHelpHint(cli);

  try {
    await cli.parseAsync(argv);
    return code;
  } catch (thrown) {
    // Commander also throws after it printed the help or the version, with code 0.
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
    throw thrown;
  }
}

/** If the usage of a verb is invalid, the error mentions the help of this verb. */
function setHelpHint(command: Command, path = command.name()): void {
  command.showHelpAfterError(`Try: ${path} --help`);
  for (const verb of command.commands) setHelpHint(verb, `${path} ${verb.name()}`);
}

/** Adds the verbs for relaying: the proxy, the bridge, the local AgentCore and the smoke test. */
function addRelayVerbs({ cli, env, streams, exit }: VerbGroup): void {
  cli
    .command('proxy')
    .description('talk MCP on stdin and stdout with a runtime, as the environment says')
    .addHelpText('after', PROXY_ENVIRONMENT)
    .action(async () => {
      const { runProxy } = await import('../programs/run-proxy.ts');
      exit(await runProxy(env, streams));
    });

  cli
    .command('bridge')
    .description('serve an MCP server on stdio by HTTP, inside a runtime, as the environment says')
    .addHelpText('after', BRIDGE_ENVIRONMENT)
    .action(async () => {
      const { runBridge } = await import('../programs/run-bridge.ts');
      exit(await runBridge(env, streams));
    });

  cli
    .command('local')
    .description('serve a local AgentCore, on which your MCP servers run as they do on AWS')
    .option('--config <file>', 'the configuration file (default: agentcore-local.yaml)')
    .option('--port <number>', 'the loopback port, 0 for any (default: 8787)', readPort)
    .option('--fault <rule>', 'a fault to inject; may be repeated', append)
    .option('--json', 'a JSON object a line, for scripts')
    .action(async ({ config, port, fault, json }: LocalArguments) => {
      const { runLocal } = await import('./local.ts');
      exit(await runLocal({ config, port, faults: fault, json }, { ...streams, signals: process }));
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
    .option(
      '--protocol <revision>',
      'the revision of MCP to insist on, 2026-07-28 (default: one up to 2025-11-25)',
      readRevision,
    )
    .option('--timeout <seconds>', 'for each step (default: 60)', readSeconds)
    .option('--json', 'a JSON object a line, for scripts')
    .addHelpText('after', SMOKE_NOTES)
    .action(async (options: SmokeOptions) => {
      const { runSmoke } = await import('./smoke.ts');
      exit(await runSmoke(options, env, streams));
    });
}

interface LocalArguments {
  readonly config?: string;
  readonly port?: number;
  readonly fault?: readonly string[];
  readonly json?: boolean;
}

const PROXY_ENVIRONMENT = `
Environment:
  AGENTCORE_AGENT_ARN          ARN of the runtime or gateway, or the URL of
                               either (or AGENT_ARN); required
  AGENTCORE_QUALIFIER          endpoint to invoke (default: DEFAULT)
  AWS_PROFILE                  profile whose credentials sign
  AGENTCORE_AUTH               iam (default), oauth, token-command or none
  AGENTCORE_OAUTH_CLIENT_ID, AGENTCORE_OAUTH_CLIENT_SECRET
                               the client that gets bearer tokens
  AGENTCORE_OAUTH_TOKEN_URL    the token endpoint (default: from the server's metadata)
  AGENTCORE_OAUTH_SCOPES, AGENTCORE_OAUTH_AUDIENCE, AGENTCORE_OAUTH_RESOURCE
                               what its tokens are for
  AGENTCORE_TOKEN_COMMAND      command that prints a bearer token instead
  RUNTIME_SESSION_MODE         session (default), identity or request
  AGENTCORE_ASSUME_ROLE_ARN    role to assume first, or several with commas
                               between
  AGENTCORE_ASSUME_ROLE_SESSION_NAME
                               its session name (default: mcpAgentCoreProxy)
  AGENTCORE_ASSUME_ROLE_EXTERNAL_ID
                               external id that the last role wants
  AGENTCORE_ASSUME_ROLE_DURATION
                               seconds that its credentials live (900 to 43200)
  AGENTCORE_ASSUME_ROLE_MFA_SERIAL
                               MFA device for the first role
  AGENTCORE_ASSUME_ROLE_SOURCE_IDENTITY
                               source identity, set with the first role
  AGENTCORE_READ_TIMEOUT       seconds of silence to bear (default: 900)
  AGENTCORE_CONNECT_TIMEOUT    seconds until a connection stands (default: 10)
  AGENTCORE_RETRIES            how often a failed call is sent again where that
                               is safe (default: 4; 0: never)
  AGENTCORE_KEEP_ALIVE         seconds of silence after which progress is
                               reported for a call (default: never)
  AGENTCORE_STOP_ON_EXIT       stop sessions at the end (default: true, but
                               false in mode identity)
  AGENTCORE_POLICY             paths of policy documents to keep, as in PATH,
                               beside the organization's and the user's own
  AGENTCORE_APPROVALS=vscode   ask the person before VS Code where the client
                               cannot
  AGENTCORE_VAULT_KEY          32 bytes in base64: keep redacted values beyond
                               the process
  AGENTCORE_STATE_DIR          where sessions and calls are on record
  AGENTCORE_JOURNAL_CONTENT    true: record arguments and results, redacted
  LOG_LEVEL, MCP_PROXY_DEBUG=1
                               what is also logged to stderr
`;

const BRIDGE_ENVIRONMENT = `
Environment:
  MCP_SERVER_CMD  command that starts the MCP server; required
  MCP_SERVER_CWD  folder to start it in
  SERVER_HOST     address to listen on (default: 0.0.0.0)
  SERVER_PORT     port to listen on (default: 8080 and 8000)
  LOG_LEVEL       the least level logged to stderr (default: info)
`;

const SMOKE_NOTES = `
Without --sample, --elicit and --progress, the tools tell_story, create_profile
and count_down are called where the server has them. A step for which it has
nothing is skipped.

The environment is that of the proxy: agentcore-mcp proxy --help

Exit codes: 0 all is well, 2 bad usage, else the first step that failed:
  10 initialize, 11 list, 12 call, 13 sample, 14 elicit, 15 progress, 16 stop
`;

/** Adds the verbs for AWS accounts: login, identity, runtimes and IAM permissions. */
function addAccountVerbs(group: VerbGroup): void {
  addLogin(group);
  addAccounts(group);
  addWhoAmI(group);
  addRuntimes(group);
  addIam(group);
}

function addLogin({ cli, env, streams, exit }: VerbGroup): void {
  cli
    .command('login')
    .description('sign in to IAM Identity Center (SSO), for this and every other AWS tool')
    .option('--profile <name>', 'the profile whose SSO session is meant (default: AWS_PROFILE)')
    .option('--sso-session <name>', 'the SSO session, by its own name')
    .option('--device', 'by a code that is typed into a browser on any device')
    .option('--no-browser', 'only name the page')
    .option('--force', 'sign in again even if the login is valid')
    .option('--status', 'only say how the login stands; exit code 1 where it takes a new one')
    .option('--json', 'a JSON object a line, for scripts')
    .action(async (options: LoginArguments) => {
      const { runLogin } = await import('./login.ts');
      exit(await runLogin(options, env, streams, createShutdownSignal(streams)));
    });
  cli
    .command('logout')
    .description('end the login to an SSO session, here and at AWS')
    .option('--profile <name>', 'the profile whose SSO session is meant (default: AWS_PROFILE)')
    .option('--sso-session <name>', 'the SSO session, by its own name')
    .option('--json', 'as a JSON object, for scripts')
    .action(async (options: LogoutArguments) => {
      const { runLogout } = await import('./login.ts');
      exit(await runLogout(options, env, streams, createShutdownSignal(streams)));
    });
}

function addAccounts({ cli, env, streams, exit }: VerbGroup): void {
  cli
    .command('accounts')
    .description('list the accounts and roles of an SSO session, or write a profile for one')
    .option('--profile <name>', 'the profile whose SSO session is meant (default: AWS_PROFILE)')
    .option('--sso-session <name>', 'the SSO session, by its own name')
    .option('--write <profile>', 'write this profile, with --account and --role')
    .option('--account <id>', 'the account of the profile')
    .option('--role <name>', 'the role of the profile')
    .option('--region <region>', 'the region of the profile')
    .option('--replace', 'change the profile where it exists')
    .option('--json', 'as a JSON object, for scripts')
    .action(async (options: AccountsArguments) => {
      const { runAccounts } = await import('./accounts.ts');
      exit(await runAccounts(options, env, streams, createShutdownSignal(streams)));
    });
}

function addWhoAmI({ cli, env, streams, exit }: VerbGroup): void {
  cli
    .command('whoami')
    .description('show account, ARN, region and expiry of the credentials that would be used')
    .option('--profile <name>', 'the profile (default: AWS_PROFILE)')
    .option('--region <region>', 'the region')
    .option('--role <arn>', 'a role to assume first')
    .option('--runtime <arn>', 'a runtime or gateway: say what does not fit about using it')
    .option('--json', 'as a JSON object, for scripts')
    .action(async (options: WhoAmIArguments) => {
      const { runWhoAmI } = await import('./accounts.ts');
      exit(await runWhoAmI(options, env, streams));
    });
}

function addRuntimes({ cli, env, streams, exit }: VerbGroup): void {
  cli
    .command('runtimes')
    .description('list runtimes and gateways, and what can be done with each')
    .option('--profile <name>', 'of this profile; may be repeated (default: AWS_PROFILE)', append)
    .option('--all-profiles', 'of every profile')
    .option('--region <region>', "of this region; may be repeated (default: the profile's)", append)
    .option('--role <arn>', 'a role to assume first')
    .option('--no-gateways', 'only runtimes')
    .option('--versions', 'also the versions of each runtime')
    .option('--arn', 'with ARNs')
    .option('--refresh', 'ask AWS for all of it, whatever is cached')
    .option('--json', 'as a JSON object, for scripts')
    .addHelpText('after', RUNTIMES_NOTES)
    .action(async (options: RuntimesArguments) => {
      const { runRuntimes } = await import('./runtimes.ts');
      exit(await runRuntimes(options, env, streams, createShutdownSignal(streams)));
    });
}

function addIam({ cli, streams, exit }: VerbGroup): void {
  cli
    .command('iam')
    .description('print the least that IAM has to allow for using runtimes and gateways')
    .option('--runtime <arn>', 'a runtime; may be repeated', append)
    .option('--qualifier <name>', 'the endpoint of runtimes whose ARN names none')
    .option('--gateway <arn>', 'a gateway; may be repeated', append)
    .option('--role <arn>', 'a role that is assumed first, as for another account')
    .option('--trust-principal <arn>', 'who may assume it: prints its trust policy too')
    .option('--external-id <id>', 'the external id that the role asks for')
    .option('--mfa', 'the role asks for MFA')
    .option('--source-identity', 'the source identity is set')
    .option('--no-stop', 'sessions are not stopped')
    .option('--list', 'also what the list of runtimes takes')
    .option('--user-id', 'also what it takes to invoke on behalf of a user')
    .option('--json', 'as a JSON object, for scripts')
    .action(async (options: IamArguments) => {
      const { runIam } = await import('./iam.ts');
      exit(runIam(options, streams));
    });
}

const RUNTIMES_NOTES = `
What AWS said is kept for a short while, with its age shown. Where a part cannot
be listed, the rest is, with what failed on stderr.

Exit codes: 0 something was listed, 1 every place failed, 2 bad usage
`;

/** Adds the verbs for the journal: sessions with their costs, and the log. */
function addJournalVerbs(group: VerbGroup): void {
  addSessions(group);
  addLog(group);
}

function addSessions({ cli, env, streams, exit }: VerbGroup): void {
  const verbs = async (): Promise<SessionsCommand> => {
    const { SessionsCommand } = await import('./sessions.ts');
    streams.stdout.on('error', () => undefined);
    return new SessionsCommand(env, streams);
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
        // Commander passes an unknown verb to the default verb, so typing errors are handled here.
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
      const { runLog } = await import('./log.ts');
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

/** Adds the verbs for policies and the audit log. */
function addPolicyVerbs(group: VerbGroup): void {
  addPolicy(group);
  addAudit(group);
}

function addPolicy({ cli, env, streams, exit }: VerbGroup): void {
  const policy = cli
    .command('policy')
    .description('check, explain, write and try the policies that calls are kept within')
    .addHelpText('after', POLICY_NOTES);
  policy
    .command('check [file...]')
    .description('tell each mistake of documents by file, line and column')
    .option('--json', 'as a JSON object, for scripts')
    .action(async (files: readonly string[], options: { readonly json?: boolean }) => {
      const { runPolicyCheck } = await import('./policy.ts');
      exit(await runPolicyCheck({ files, ...options }, env, streams));
    });
  policy
    .command('explain [tool]')
    .description('say why a call would be decided as it is')
    .option('--method <name>', 'another method than tools/call')
    .option('--args <json>', 'arguments of the tool, or params of the method')
    .option('--caller <arn>', 'on whose behalf it is called')
    .option(
      '--runtime <arn>',
      'ARN or URL of the runtime or gateway (default: AGENTCORE_AGENT_ARN)',
    )
    .option('--tools <file>', 'the result of tools/list, for rules about schemas and annotations')
    .option('--file <document>', 'a document; may be repeated (default: those that hold)', append)
    .option('--json', 'as a JSON object, for scripts')
    .action(async (tool: string | undefined, options: ExplainArguments) => {
      const { runPolicyExplain } = await import('./policy.ts');
      const { file, ...rest } = options;
      exit(await runPolicyExplain({ tool, files: file, ...rest }, env, streams));
    });
  policy
    .command('init')
    .description("write a policy from a runtime's tools, by what each may do")
    .option('--runtime <arn>', 'the runtime (default: AGENTCORE_AGENT_ARN)')
    .option('--tools <file>', 'the result of tools/list instead of a live one')
    .option('--out <file>', 'where to write it (default: stdout)')
    .action(async (options: PolicyInitOptions) => {
      const { runPolicyInit } = await import('./policy.ts');
      exit(await runPolicyInit(options, env, streams));
    });
  policy
    .command('test <file>')
    .description('try examples of calls and of how they have to be decided')
    .option('--tools <file>', 'the result of tools/list, for rules about schemas and annotations')
    .option('--json', 'as a JSON object, for scripts')
    .action(async (file: string, options: Omit<PolicyTestOptions, 'file'>) => {
      const { runPolicyTest } = await import('./policy.ts');
      exit(await runPolicyTest({ file, ...options }, env, streams));
    });
}

function addAudit({ cli, env, streams, exit }: VerbGroup): void {
  const audit = cli.command('audit').description('look after the record of what policies decided');
  audit
    .command('find <token>')
    .description('list the calls that put a redaction token in or took it back')
    .option('--json', 'as a JSON object, for scripts')
    .addHelpText('after', FIND_NOTES)
    .action(async (token: string, options: AuditFindOptions) => {
      const { runAuditFind } = await import('./log.ts');
      exit(await runAuditFind(token, options, env, streams));
    });
  audit
    .command('verify')
    .description('say whether it is as it was written')
    .option('--noted <file>', 'what --json printed earlier: nothing of that may be gone')
    .option('--json', 'as a JSON object, for scripts')
    .addHelpText('after', AUDIT_NOTES)
    .action(async (options: AuditVerifyOptions) => {
      const { runAuditVerify } = await import('./log.ts');
      exit(await runAuditVerify(options, env, streams));
    });
}

type ExplainArguments = Omit<PolicyExplainOptions, 'files' | 'tool'> & {
  readonly file?: readonly string[];
};

const POLICY_NOTES = `
Environment:
  AGENTCORE_POLICY  paths of documents, beside the organization's and the
                    user's own

Exit codes: 0 all is well, 1 a document has a mistake or an example fails, 2 bad
usage
`;

const AUDIT_NOTES = `
Exit codes: 0 it is as it was written, 1 something was changed, removed or
added, 2 bad usage
`;

const FIND_NOTES = `
Put the token in quotes: agentcore-mcp audit find "<email:1f3a5b7c9d0e2f46>"

Exit codes: 0 there are such calls, 1 there are none, or a file could not be
read, 2 bad usage
`;

/** The parameters of the functions to add verbs. */
interface VerbGroup {
  readonly cli: Command;
  readonly env: Environment;
  readonly streams: ProgramStreams;
  /** Sets the exit code of the command. */
  readonly exit: (code: number) => void;
}

/**
 * Creates a signal for the end of a verb. It aborts on Ctrl-C. It also aborts when the reader of
 * the output closes, as `head` does. This is no error.
 */
function createShutdownSignal(streams: ProgramStreams): AbortSignal {
  const ending = new AbortController();
  const end = () => ending.abort();
  streams.stdout.on('error', end).on('close', end);
  void waitForShutdown(streams).then(end);
  return ending.signal;
}

/** Collects the values of a repeatable option. */
function append(value: string, values: readonly string[] = []): readonly string[] {
  return [...values, value];
}

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

/** Parses a revision without a handshake. The client and server negotiate all earlier revisions. */
function readRevision(text: string): string {
  if (/^\d{4}-\d{2}-\d{2}$/.test(text) && text >= '2026-07-28') return text;
  throw new InvalidArgumentError(
    'It must be 2026-07-28 or later; go without it for revisions up to 2025-11-25.',
  );
}
