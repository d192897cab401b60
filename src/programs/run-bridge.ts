import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgsStringToArgv } from 'string-argv';
import { PAYLOAD_LIMIT } from '../aws/endpoints.ts';
import type { Environment } from '../base/environment.ts';
import { AgentCoreError, getErrorMessage } from '../base/errors.ts';
import {
  escapeControls,
  isLogLevel,
  type Log,
  type LogLevel,
  meetsThreshold,
} from '../base/logger.ts';
import { applyInterceptors } from '../relay/peer.ts';
import { ChildProcessTransport } from '../transports/child-process.ts';
import { HttpServerTransport } from '../transports/http-server.ts';
import { Outbox } from '../transports/outbox.ts';
import { type ProgramStreams, waitForShutdown } from './main.ts';

/**
 * Runs the bridge in a runtime's container: from AgentCore's HTTP to an MCP server on stdio.
 *
 * @returns the exit code, after the server and its child have ended.
 * @throws {AgentCoreError} `usage`, or `connection` if a port is in use.
 */
export async function runBridge(
  env: Environment,
  streams: Pick<ProgramStreams, 'stderr' | 'onFault'>,
): Promise<number> {
  const asked = waitForShutdown(streams);
  const { stderr } = streams;
  const { program, args, cwd, host, ports, logLevel } = readBridgeSettings(env);
  const log: Log = (level, sentence) => {
    if (meetsThreshold(level, logLevel))
      stderr.write(`agentcore-mcp: ${level}: ${escapeControls(sentence)}\n`);
  };

  let sessionId: string | undefined;
  const outbox = new Outbox(log);
  const child = new ChildProcessTransport({
    command: () => ({
      program,
      args,
      cwd,
      env: { ...env, ...(sessionId !== undefined && { MCP_SESSION_ID: sessionId }) },
    }),
    client: outbox,
    messageLimit: PAYLOAD_LIMIT,
    log,
  });
  const front = new HttpServerTransport({
    server: applyInterceptors([], child),
    outbox,
    host,
    health: () => {
      if (child.unusable) return { status: undefined, reason: child.unusable.message };
      return { status: child.isBusy ? 'HealthyBusy' : 'Healthy' };
    },
    onSession: (id) => {
      sessionId = id;
    },
    messageLimit: PAYLOAD_LIMIT,
    log,
  });
  const servers = await Promise.all(ports.map((port) => listen(front, host, port)));
  for (const server of servers) {
    log('info', `Listening on ${host}:${(server.address() as AddressInfo).port}`);
  }
  await asked;
  for (const server of servers) server.close();
  await child.stop();
  for (const server of servers) server.closeAllConnections();
  return 0;
}

async function listen(front: HttpServerTransport, host: string, port: number): Promise<Server> {
  const server = createServer((request, response) => void front.handle(request, response));
  // Disable Node's timeout: a request may run for long. AgentCore enforces the time limits.
  server.requestTimeout = 0;
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw new AgentCoreError(
      'connection',
      (cause as NodeJS.ErrnoException).code === 'EADDRINUSE'
        ? `Could not listen on ${host}:${port}: another program has this port. End it, or set SERVER_PORT to another one`
        : `Could not listen on ${host}:${port}: ${getErrorMessage(cause)}`,
      { cause },
    );
  }
  return server;
}

/** Settings of the bridge, from its environment. */
interface BridgeSettings {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string | undefined;
  readonly host: string;
  readonly ports: readonly number[];
  readonly logLevel: LogLevel;
}

/** Ports of AgentCore's container contract: HTTP runtimes, then MCP runtimes. */
const AGENTCORE_PORTS = [8080, 8000];

/**
 * Reads the bridge's environment.
 *
 * @throws {AgentCoreError} `usage`; the message names the variable.
 */
function readBridgeSettings(env: Environment): BridgeSettings {
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
