import { parseArgsStringToArgv } from 'string-argv';
import type { Environment } from '../environment.ts';
import { AgentCoreError } from '../error.ts';
import { isLogLevel, type LogLevel } from '../log.ts';

/** Settings of the bridge, from its environment. */
interface BridgeSettings {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string | undefined;
  readonly host: string;
  readonly ports: readonly number[];
  readonly logLevel: LogLevel;
}

/** Container ports in AgentCore's contract: HTTP runtimes, then MCP runtimes. */
const AGENTCORE_PORTS = [8080, 8000];

/**
 * Reads the bridge's environment.
 *
 * @throws {AgentCoreError} `usage`; the message names the variable.
 */
export function readBridgeSettings(env: Environment): BridgeSettings {
  const [program, ...args] = parseArgsStringToArgv(env.MCP_SERVER_CMD ?? '');
  if (!program) {
    throw new AgentCoreError(
      'usage',
      'MCP_SERVER_CMD is not set: set it to the command that starts the MCP server on stdio',
    );
  }
  const level = env.LOG_LEVEL?.toLowerCase();
  return {
    program,
    args,
    cwd: env.MCP_SERVER_CWD || undefined,
    host: env.SERVER_HOST || '0.0.0.0',
    ports: env.SERVER_PORT ? [readPort(env.SERVER_PORT)] : AGENTCORE_PORTS,
    logLevel: isLogLevel(level) ? level : 'info',
  };
}

function readPort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new AgentCoreError('usage', `SERVER_PORT is "${text}", expected a number from 0 to 65535`);
}
