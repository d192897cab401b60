import type { SmokeOptions } from '../run-smoke.ts';
import { append, readPort, readRevision, readSeconds, type VerbGroup } from './verb-group.ts';

/** Verbs that relay messages: the proxy, the bridge, the local AgentCore and the smoke test. */
export function addRelayVerbs({ cli, env, streams, exit }: VerbGroup): void {
  cli
    .command('proxy')
    .description('talk MCP on stdin and stdout with a runtime, as the environment says')
    .addHelpText('after', PROXY_ENVIRONMENT)
    .action(async () => {
      const { runProxy } = await import('../run-proxy.ts');
      exit(await runProxy(env, streams));
    });

  cli
    .command('bridge')
    .description('serve an MCP server on stdio by HTTP, inside a runtime, as the environment says')
    .addHelpText('after', BRIDGE_ENVIRONMENT)
    .action(async () => {
      const { runBridge } = await import('../run-bridge.ts');
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
      const { runLocal } = await import('../run-local.ts');
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
      const { runSmoke } = await import('../run-smoke.ts');
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
  AGENTCORE_OAUTH_TOKEN_URL    where it does (default: where the server says)
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
  LOG_LEVEL       what is logged to stderr (default: info)
`;

const SMOKE_NOTES = `
Without --sample, --elicit and --progress, the tools tell_story, create_profile
and count_down are called where the server has them. A step for which it has
nothing is skipped.

The environment is that of the proxy: agentcore-mcp proxy --help

Exit codes: 0 all is well, 2 bad usage, else the first step that failed:
  10 initialize, 11 list, 12 call, 13 sample, 14 elicit, 15 progress, 16 stop
`;
