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
    .description('relay MCP between stdio and a runtime, with settings of the environment')
    .addHelpText('after', PROXY_ENVIRONMENT)
    .action(async () => {
      const { runProxy } = await import('../programs/run-proxy.ts');
      exit(await runProxy(env, streams));
    });

  cli
    .command('bridge')
    .description('serve a stdio MCP server over HTTP, inside a runtime')
    .addHelpText('after', BRIDGE_ENVIRONMENT)
    .action(async () => {
      const { runBridge } = await import('../programs/run-bridge.ts');
      exit(await runBridge(env, streams));
    });

  cli
    .command('local')
    .description('run a local AgentCore that serves your MCP servers as AWS does')
    .option('--config <file>', 'the configuration file (default: agentcore-local.yaml)')
    .option('--port <number>', 'the loopback port, 0 for any (default: 8787)', readPort)
    .option('--fault <rule>', 'a fault to inject; repeatable', append)
    .option('--json', 'one JSON object per line, for scripts')
    .action(async ({ config, port, fault, json }: LocalArguments) => {
      const { runLocal } = await import('./local.ts');
      exit(await runLocal({ config, port, faults: fault, json }, { ...streams, signals: process }));
    });

  cli
    .command('smoke')
    .description('test a runtime through the proxy, step by step')
    .option('--runtime <arn>', 'the runtime (default: AGENTCORE_AGENT_ARN)')
    .option('--tool <name>', 'the tool to call (default: a read-only one)')
    .option('--args <json>', 'its arguments (default: samples for the required ones)')
    .option('--sample <tool>', 'a tool that requests sampling; TOOL=JSON sets its arguments')
    .option('--elicit <tool>', 'a tool that requests elicitation; also TOOL=JSON')
    .option('--progress <tool>', 'a tool that reports progress; also TOOL=JSON')
    .option(
      '--protocol <revision>',
      'the required MCP revision (default: one up to 2025-11-25)',
      readRevision,
    )
    .option('--timeout <seconds>', 'timeout of each step (default: 60)', readSeconds)
    .option('--json', 'one JSON object per line, for scripts')
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
  AWS_PROFILE                  profile for the AWS credentials
  AGENTCORE_AUTH               iam (default), oauth, token-command or none
  AGENTCORE_OAUTH_CLIENT_ID, AGENTCORE_OAUTH_CLIENT_SECRET
                               OAuth client that requests bearer tokens
  AGENTCORE_OAUTH_TOKEN_URL    token endpoint (default: from the metadata)
  AGENTCORE_OAUTH_SCOPES, AGENTCORE_OAUTH_AUDIENCE, AGENTCORE_OAUTH_RESOURCE
                               scopes, audience and resource of its tokens
  AGENTCORE_TOKEN_COMMAND      command that prints a bearer token instead
  RUNTIME_SESSION_MODE         session (default), identity or request
  AGENTCORE_ASSUME_ROLE_ARN    role to assume first, or several roles,
                               separated by commas
  AGENTCORE_ASSUME_ROLE_SESSION_NAME
                               its session name (default: mcpAgentCoreProxy)
  AGENTCORE_ASSUME_ROLE_EXTERNAL_ID
                               external ID that the last role requires
  AGENTCORE_ASSUME_ROLE_DURATION
                               lifetime of its credentials, 900 to 43200 s
  AGENTCORE_ASSUME_ROLE_MFA_SERIAL
                               MFA device for the first role
  AGENTCORE_ASSUME_ROLE_SOURCE_IDENTITY
                               source identity, set with the first role
  AGENTCORE_READ_TIMEOUT       seconds without data to a failure (default: 900)
  AGENTCORE_CONNECT_TIMEOUT    seconds to connect (default: 10)
  AGENTCORE_RETRIES            maximum of safe retries of a call (default: 4)
  AGENTCORE_KEEP_ALIVE         seconds without data until a progress report
                               (default: never)
  AGENTCORE_STOP_ON_EXIT       stop sessions on exit (default: true, but false
                               in mode identity)
  AGENTCORE_POLICY             paths of policy documents, as in PATH, besides
                               those of the organization and the user
  AGENTCORE_APPROVALS=vscode   ask in VS Code if the client cannot ask
  AGENTCORE_VAULT_KEY          32 bytes in base64, to keep redacted values
  AGENTCORE_STATE_DIR          directory for the records of sessions and calls
  AGENTCORE_JOURNAL_CONTENT    true: record arguments and results, redacted
  LOG_LEVEL, MCP_PROXY_DEBUG=1
                               log level on stderr
`;

const BRIDGE_ENVIRONMENT = `
Environment:
  MCP_SERVER_CMD  command that starts the MCP server; required
  MCP_SERVER_CWD  working directory of the server
  SERVER_HOST     address to listen on (default: 0.0.0.0)
  SERVER_PORT     port to listen on (default: 8080 and 8000)
  LOG_LEVEL       log level on stderr (default: info)
`;

const SMOKE_NOTES = `
Without --sample, --elicit and --progress, the test calls the tools tell_story,
create_profile and count_down if the server has them. It skips a step if the
server has no tool for it.

Settings: the environment variables of agentcore-mcp proxy --help

Exit codes: 0 success, 2 invalid usage, otherwise the first failed step:
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
    .description('sign in to IAM Identity Center (SSO), for all AWS tools')
    .option('--profile <name>', 'the profile of the SSO session (default: AWS_PROFILE)')
    .option('--sso-session <name>', 'the name of the SSO session')
    .option('--device', 'use a code that you enter in a browser on any device')
    .option('--no-browser', 'print the URL instead of opening a browser')
    .option('--force', 'sign in again, even if the login is valid')
    .option('--status', 'only print the state of the login; exit code 1 if a new one is needed')
    .option('--json', 'one JSON object per line, for scripts')
    .action(async (options: LoginArguments) => {
      const { runLogin } = await import('./login.ts');
      exit(await runLogin(options, env, streams, createShutdownSignal(streams)));
    });
  cli
    .command('logout')
    .description('sign out of an SSO session, on this machine and at AWS')
    .option('--profile <name>', 'the profile of the SSO session (default: AWS_PROFILE)')
    .option('--sso-session <name>', 'the name of the SSO session')
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
    .option('--profile <name>', 'the profile of the SSO session (default: AWS_PROFILE)')
    .option('--sso-session <name>', 'the name of the SSO session')
    .option('--write <profile>', 'write this profile, with --account and --role')
    .option('--account <id>', 'the account of the profile')
    .option('--role <name>', 'the role of the profile')
    .option('--region <region>', 'the region of the profile')
    .option('--replace', 'replace the profile if it exists')
    .option('--json', 'as a JSON object, for scripts')
    .action(async (options: AccountsArguments) => {
      const { runAccounts } = await import('./accounts.ts');
      exit(await runAccounts(options, env, streams, createShutdownSignal(streams)));
    });
}

function addWhoAmI({ cli, env, streams, exit }: VerbGroup): void {
  cli
    .command('whoami')
    .description('show account, ARN, region and expiry of the current credentials')
    .option('--profile <name>', 'the profile (default: AWS_PROFILE)')
    .option('--region <region>', 'the region')
    .option('--role <arn>', 'a role to assume first')
    .option('--runtime <arn>', 'a runtime or gateway: print what prevents its use')
    .option('--json', 'as a JSON object, for scripts')
    .action(async (options: WhoAmIArguments) => {
      const { runWhoAmI } = await import('./accounts.ts');
      exit(await runWhoAmI(options, env, streams));
    });
}

function addRuntimes({ cli, env, streams, exit }: VerbGroup): void {
  cli
    .command('runtimes')
    .description('list runtimes and gateways, and whether each can be used')
    .option('--profile <name>', 'a profile; repeatable (default: AWS_PROFILE)', append)
    .option('--all-profiles', 'all profiles')
    .option('--region <region>', "a region; repeatable (default: the profile's)", append)
    .option('--role <arn>', 'a role to assume first')
    .option('--no-gateways', 'only runtimes')
    .option('--versions', 'include the versions of each runtime')
    .option('--arn', 'include ARNs')
    .option('--refresh', 'ignore the cache')
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
    .description('print the least-privilege IAM policy to use runtimes and gateways')
    .option('--runtime <arn>', 'a runtime; repeatable', append)
    .option('--qualifier <name>', 'the endpoint, for runtime ARNs without one')
    .option('--gateway <arn>', 'a gateway; repeatable', append)
    .option('--role <arn>', 'a role to assume first, for example in another account')
    .option('--trust-principal <arn>', 'its principal: prints the trust policy too')
    .option('--external-id <id>', 'the external ID that the role requires')
    .option('--mfa', 'the role requires MFA')
    .option('--source-identity', 'the caller sets a source identity')
    .option('--no-stop', 'without the permission to stop sessions')
    .option('--list', 'include the permissions to list runtimes')
    .option('--user-id', 'include the permission to invoke on behalf of a user')
    .option('--json', 'as a JSON object, for scripts')
    .action(async (options: IamArguments) => {
      const { runIam } = await import('./iam.ts');
      exit(runIam(options, streams));
    });
}

const RUNTIMES_NOTES = `
Results are cached for a short time, and shown with their age. If a part cannot
be listed, the other parts are listed, and the error is on stderr.

Exit codes: 0 something was listed, 1 everything failed, 2 invalid usage
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
    .description('list, show and stop the runtime sessions of all programs, with their cost')
    .addHelpText('after', STATE_ENVIRONMENT);
  sessions
    .command('list', { isDefault: true })
    .description('sessions that may be billed, and those that ended within a day')
    .option('--all', 'include older sessions')
    .option('--json', 'all sessions as a JSON array, for scripts')
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
    .description('show one session, by any of its ids or the start of a local id')
    .option('--json', 'as a JSON object, for scripts')
    .action(async (id: string, options: { readonly json?: boolean }) =>
      exit(await (await verbs()).show(id, options)),
    );
  sessions
    .command('stop [id...]')
    .description('stop sessions and their billing')
    .option('--all', 'all sessions that may be billed, including those in use')
    .option('--orphaned', 'sessions whose program has ended')
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
    .description('remove orphaned sessions that cannot be stopped from the list')
    .option('--orphaned', 'all sessions whose program has ended')
    .action(async (ids: readonly string[], options: { readonly orphaned?: boolean }) =>
      exit(await (await verbs()).dismiss({ ids, ...options })),
    );
  sessions
    .command('prune')
    .description('remove old journal files that no running session needs')
    .option('--older-than <days>', 'minimum age of the files (default: 1)', readDays)
    .option('--json', 'as a JSON object, for scripts')
    .action(async (options: { readonly olderThan?: number; readonly json?: boolean }) =>
      exit(await (await verbs()).prune(options)),
    );
}

function addLog({ cli, env, streams, exit }: VerbGroup): void {
  cli
    .command('log')
    .description('show the records of all programs: sessions, calls and errors')
    .option('--follow', 'continue with new records until Ctrl-C')
    .option('--session <id>', 'only this session: any of its ids, or the start of a local id')
    .option('--errors', 'only errors')
    .option('--replays', 'only repeated handshakes')
    .option('--calls', 'only requests and their outcomes')
    .option('--limit <number>', 'number of the latest records (default: 100)', readCount)
    .option('--json', 'one JSON object per line, for scripts')
    .addHelpText('after', STATE_ENVIRONMENT)
    .action(async (options: LogOptions) => {
      const { runLog } = await import('./log.ts');
      exit(await runLog(options, env, streams, createShutdownSignal(streams)));
    });
}

const STATE_ENVIRONMENT = `
Environment:
  AGENTCORE_STATE_DIR  directory of the journal (default: that of the system)
`;

const STOP_NOTES = `
A stop uses the profile and role of the session, or those of the environment.

Exit codes: 0 all have ended, 1 a session could not be stopped, 2 invalid usage
`;

/** Adds the verbs for policies and the audit log. */
function addPolicyVerbs(group: VerbGroup): void {
  addPolicy(group);
  addAudit(group);
}

function addPolicy({ cli, env, streams, exit }: VerbGroup): void {
  const policy = cli
    .command('policy')
    .description('check, explain, create and test policies for calls')
    .addHelpText('after', POLICY_NOTES);
  policy
    .command('check [file...]')
    .description('print each error of policy documents, with file, line and column')
    .option('--json', 'as a JSON object, for scripts')
    .action(async (files: readonly string[], options: { readonly json?: boolean }) => {
      const { runPolicyCheck } = await import('./policy.ts');
      exit(await runPolicyCheck({ files, ...options }, env, streams));
    });
  policy
    .command('explain [tool]')
    .description('show the decision on a call, and the rules behind it')
    .option('--method <name>', 'a method (default: tools/call)')
    .option('--args <json>', 'arguments of the tool, or params of the method')
    .option('--caller <arn>', 'the caller')
    .option(
      '--runtime <arn>',
      'ARN or URL of the runtime or gateway (default: AGENTCORE_AGENT_ARN)',
    )
    .option('--tools <file>', 'the result of tools/list, for rules about schemas and annotations')
    .option('--file <document>', 'a document; repeatable (default: the documents in force)', append)
    .option('--json', 'as a JSON object, for scripts')
    .action(async (tool: string | undefined, options: ExplainArguments) => {
      const { runPolicyExplain } = await import('./policy.ts');
      const { file, ...rest } = options;
      exit(await runPolicyExplain({ tool, files: file, ...rest }, env, streams));
    });
  policy
    .command('init')
    .description("create a policy from a runtime's tools and their annotations")
    .option('--runtime <arn>', 'the runtime (default: AGENTCORE_AGENT_ARN)')
    .option('--tools <file>', 'the result of tools/list (default: from the runtime)')
    .option('--out <file>', 'the output file (default: stdout)')
    .action(async (options: PolicyInitOptions) => {
      const { runPolicyInit } = await import('./policy.ts');
      exit(await runPolicyInit(options, env, streams));
    });
  policy
    .command('test <file>')
    .description('check example calls against their expected decisions')
    .option('--tools <file>', 'the result of tools/list, for rules about schemas and annotations')
    .option('--json', 'as a JSON object, for scripts')
    .action(async (file: string, options: Omit<PolicyTestOptions, 'file'>) => {
      const { runPolicyTest } = await import('./policy.ts');
      exit(await runPolicyTest({ file, ...options }, env, streams));
    });
}

function addAudit({ cli, env, streams, exit }: VerbGroup): void {
  const audit = cli
    .command('audit')
    .description('search and verify the records of policy decisions');
  audit
    .command('find <token>')
    .description('list the calls that created or restored a redaction token')
    .option('--json', 'as a JSON object, for scripts')
    .addHelpText('after', FIND_NOTES)
    .action(async (token: string, options: AuditFindOptions) => {
      const { runAuditFind } = await import('./log.ts');
      exit(await runAuditFind(token, options, env, streams));
    });
  audit
    .command('verify')
    .description('check that no audit record was changed or removed')
    .option('--noted <file>', 'the output of an earlier --json: all its records must still exist')
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
  AGENTCORE_POLICY  documents besides those of the organization and the user

Exit codes: 0 success, 1 an error or a failed example, 2 invalid usage
`;

const AUDIT_NOTES = `
Exit codes: 0 unchanged, 1 changed, 2 invalid usage
`;

const FIND_NOTES = `
Put the token in quotes: agentcore-mcp audit find "<email:1f3a5b7c9d0e2f46>"

Exit codes: 0 found, 1 not found or a file could not be read, 2 invalid usage
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
    'It must be 2026-07-28 or later. Omit it for revisions up to 2025-11-25.',
  );
}
