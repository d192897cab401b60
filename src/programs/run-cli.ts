import { Command, CommanderError, InvalidArgumentError } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import type { ProgramStreams } from './run-proxy.ts';
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

  try {
    await cli.parseAsync(argv);
    return code;
  } catch (thrown) {
    // Help and version end this way too, with 0.
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
    throw thrown;
  }
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

function append(rule: string, rules: readonly string[] = []): readonly string[] {
  return [...rules, rule];
}
