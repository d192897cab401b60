import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import {
  type McpMessage,
  type McpRoute,
  type McpRouting,
  routeMcp,
} from '../sessions/mcp-routing.ts';
import type { RuntimeSession } from '../sessions/runtime-session.ts';
import { disturb } from './fault-effects.ts';
import {
  acceptsMcp,
  createContainerError,
  createContainerHeaders,
  type Invocation,
  MCP_SESSION,
  MCP_SESSION_HEADER,
  type ResponseDecision,
  RUNTIME_SESSION,
  RUNTIME_SESSION_HEADER,
  serve,
} from './invocation.ts';

// InvokeAgentRuntime, for MCP and for HTTP runtimes.

/** Invokes an MCP runtime: one message, one response or stream. */
export async function invokeMcp(invocation: Invocation, message: McpMessage): Promise<void> {
  const { runtime, exchange, dialect, fault, qualifier } = invocation;
  if (!acceptsMcp(exchange.header('accept'))) {
    exchange.answer(dialect.error({ kind: 'not-acceptable', message: '' }));
    return;
  }
  const routing: McpRouting = {
    config: runtime.config,
    sessions: runtime.sessions,
    message,
    qualifier,
    mcpSessionId: exchange.header(MCP_SESSION),
    runtimeSessionId: exchange.header(RUNTIME_SESSION),
  };
  const route = await routeWithFault(routing, fault);
  if (route.kind === 'refused') {
    exchange.answer(route.answer);
    return;
  }
  if (route.kind === 'new' && !runtime.newSessionRate.admit()) {
    exchange.answer(dialect.error({ kind: 'throttled', message: 'Too many new sessions' }));
    return;
  }
  const session = route.kind === 'new' ? route.open() : route.session;
  await serve(invocation, {
    session,
    headers: createInvocationHeaders(invocation, session, message),
    judge: (answer) => judgeResponse(invocation, session, message, answer),
  });
}

/**
 * Routes a message and applies a fault before the request. Then routes it again, because the fault
 * may have ended the microVM.
 */
async function routeWithFault(routing: McpRouting, fault: Invocation['fault']): Promise<McpRoute> {
  const route = routeMcp(routing);
  if (route.kind !== 'session' || !fault) return route;
  await disturb(fault, route.session, 'before');
  return routeMcp(routing);
}

function createInvocationHeaders(
  { runtime, exchange }: Invocation,
  session: RuntimeSession,
  message: McpMessage,
): Record<string, string | string[]> {
  const headers = createContainerHeaders(exchange.headers, runtime.config);
  headers[RUNTIME_SESSION] = session.runtimeSessionId;
  // A stateful server accepts only its own ids. All other servers get the id of the platform.
  const fromClient = runtime.config.sessions === 'stateful' && !message.sessionless;
  const id = fromClient ? exchange.header(MCP_SESSION) : session.mcpSessionId;
  if (id !== undefined) headers[MCP_SESSION] = id;
  return headers;
}

function judgeResponse(
  invocation: Invocation,
  session: RuntimeSession,
  message: McpMessage,
  answer: IncomingMessage,
): ResponseDecision {
  const { runtime, exchange } = invocation;
  const { switches } = runtime.config;
  const status = answer.statusCode ?? 500;
  if (status >= 500 || (status >= 400 && switches.containerClientErrors === 'wrap')) {
    return createContainerError(status);
  }
  recordSessionId(invocation, session, message, answer);
  const headers = exchange.platformHeaders();
  if (switches.returnRuntimeSessionId) headers[RUNTIME_SESSION_HEADER] = session.runtimeSessionId;
  if (switches.returnMcpSessionId && session.mcpSessionId !== undefined) {
    headers[MCP_SESSION_HEADER] = session.mcpSessionId;
  }
  const version = exchange.header('mcp-protocol-version');
  if (version !== undefined) headers['Mcp-Protocol-Version'] = version;
  if (!message.expectsAnswer && (status === 202 || status === 204)) {
    const accepted =
      switches.notificationStatus === 'container' ? status : switches.notificationStatus;
    if (accepted !== 204) headers['Content-Length'] = '0';
    return { kind: 'send', status: accepted, headers, body: false };
  }
  for (const [name, header] of PASSED_BACK) {
    const value = answer.headers[name];
    if (typeof value === 'string') headers[header] = value;
  }
  return { kind: 'send', status, headers, body: true };
}

/** Headers of the container that are forwarded to the client. */
const PASSED_BACK = [
  ['content-type', 'Content-Type'],
  ['content-length', 'Content-Length'],
  ['content-encoding', 'Content-Encoding'],
] as const;

/**
 * Records the session id of a stateful server, and routes later requests with it to this microVM.
 * If the server issues no id in its response to `initialize`, the platform issues one. Only the
 * status decides whether `initialize` succeeded.
 */
function recordSessionId(
  { runtime, qualifier }: Invocation,
  session: RuntimeSession,
  message: McpMessage,
  answer: IncomingMessage,
): void {
  if (runtime.config.sessions === 'stateless' || message.sessionless) return;
  const issued = answer.headers[MCP_SESSION];
  const status = answer.statusCode ?? 500;
  if (status < 200 || status > 299) return;
  const opened = message.method === 'initialize' && session.mcpSessionId === undefined;
  const id = typeof issued === 'string' ? issued : opened ? randomUUID() : undefined;
  if (id === undefined || id === session.mcpSessionId) return;
  session.mcpSessionId = id;
  if (runtime.config.switches.routeMcpBy === 'runtime-session-id') return;
  const known = runtime.sessions.find(qualifier, id);
  if (known !== session) runtime.sessions.bind(session, id);
}

/** Invokes an HTTP agent: any payload, JSON or a stream as response. */
export async function invokeHttp(invocation: Invocation): Promise<void> {
  const { runtime, exchange, dialect, fault } = invocation;
  const { config } = runtime;
  const session = findOrOpenSession(invocation);
  if (!session) {
    exchange.answer(dialect.error({ kind: 'throttled', message: 'Too many new sessions' }));
    return;
  }
  await disturb(fault, session, 'before');
  const headers = createContainerHeaders(exchange.headers, config);
  headers[RUNTIME_SESSION] = session.runtimeSessionId;
  await serve(invocation, {
    session,
    headers,
    judge: (answer) => {
      const status = answer.statusCode ?? 500;
      if (status < 200 || status > 299) return createContainerError(status);
      const back = exchange.platformHeaders();
      if (config.switches.returnRuntimeSessionId) {
        back[RUNTIME_SESSION_HEADER] = session.runtimeSessionId;
      }
      for (const name of ['content-type', 'content-length', 'content-encoding']) {
        const value = answer.headers[name];
        if (typeof value === 'string') back[name] = value;
      }
      return { kind: 'send', status, headers: back, body: true };
    },
  });
}

/**
 * Returns the session of the request, or a new one. `undefined` if the rate limit for new sessions
 * is reached.
 */
function findOrOpenSession({
  runtime,
  exchange,
  qualifier,
}: Invocation): RuntimeSession | undefined {
  const id = exchange.header(RUNTIME_SESSION);
  const known = id === undefined ? undefined : runtime.sessions.find(qualifier, id);
  if (known) return known;
  if (!runtime.newSessionRate.admit()) return undefined;
  const session = runtime.sessions.open({
    qualifier,
    routingId: id,
    runtimeSessionId: id,
    mcpSessionId: undefined,
  });
  runtime.sessions.bind(session, session.runtimeSessionId);
  return session;
}
