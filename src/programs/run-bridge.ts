import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PAYLOAD_LIMIT } from '../aws/payload-limit.ts';
import { ChildProcessTransport } from '../ends/child/child-end.ts';
import { HttpServerTransport } from '../ends/http/http-end.ts';
import { Outbox } from '../ends/http/outbox.ts';
import type { Environment } from '../environment.ts';
import { AgentCoreError, getErrorMessage } from '../error.ts';
import { escapeControls, isLoud, type Log } from '../log.ts';
import { applyInterceptors } from '../relay/interceptors.ts';
import { readBridgeSettings } from './bridge-settings.ts';
import { waitForShutdown } from './ending.ts';
import type { ProgramStreams } from './main.ts';

/**
 * The bridge inside a runtime's container, between AgentCore's HTTP and an MCP server on stdio.
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
    if (isLoud(level, logLevel))
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
  // A stream may be silent while its request runs. AgentCore enforces the time limits.
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
