import type { RuntimeSession } from '../sessions/runtime-session.ts';
import { disturb } from './disturbance.ts';
import { createContainerError, type Invocation, serve } from './invocation.ts';
import {
  createContainerHeaders,
  RUNTIME_SESSION,
  RUNTIME_SESSION_HEADER,
} from './request-headers.ts';

/** Invokes an HTTP agent: any payload in, JSON or a stream out. */
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

/** `undefined` if the rate limit for new sessions is reached. */
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
