import { REST_DIALECT } from '../answers/dialect.ts';
import type { HttpExchange } from '../answers/http-exchange.ts';
import { RUNTIME_SESSION, RUNTIME_SESSION_HEADER } from '../invocations/request-headers.ts';
import type { ServedRuntime } from '../platform.ts';
import type { RuntimeSession } from '../sessions/runtime-session.ts';

/** Maximum number of client tokens to keep. */
const MAX_TOKENS = 1000;

/** Session id by client token of each successful stop. A repeated token gets the same response. */
export type StopTokens = Map<string, string>;

/** Stops all sessions with an id. Several MCP handshakes may have used the same one. */
export async function stopSession(
  exchange: HttpExchange,
  runtime: ServedRuntime,
  qualifier: string,
  body: Buffer,
  tokens: StopTokens,
): Promise<void> {
  const id = exchange.header(RUNTIME_SESSION) ?? '';
  const token = parseClientToken(body);
  const done = token !== undefined && tokens.get(token) === id;
  const sessions = done ? [] : findSessions(runtime, qualifier, id);
  if (!done && sessions.every((session) => session.stopped && !session.changing)) {
    exchange.answer(
      REST_DIALECT.error({
        kind: 'not-found',
        message: `Session ${id} was not found or has ended`,
      }),
    );
    return;
  }
  const { conflictWhileChanging } = runtime.config.switches;
  if (conflictWhileChanging && sessions.some((session) => session.changing)) {
    exchange.answer(REST_DIALECT.error({ kind: 'retryable-conflict', message: '' }));
    return;
  }
  await Promise.all(sessions.map((session) => session.stop('stop-runtime-session')));
  if (token !== undefined) addBounded(tokens, token, id);
  exchange.answer({
    status: 200,
    headers: { 'Content-Type': 'application/json', [RUNTIME_SESSION_HEADER]: id },
    body: '{}',
  });
}

function findSessions(runtime: ServedRuntime, qualifier: string, id: string): RuntimeSession[] {
  const { protocol, switches } = runtime.config;
  const by = protocol === 'MCP' ? switches.stopBy : 'runtime-session-id';
  return runtime.sessions
    .all()
    .filter(
      (session) =>
        session.qualifier === qualifier &&
        ((by !== 'mcp-session-id' && session.runtimeSessionId === id) ||
          (by !== 'runtime-session-id' && session.mcpSessionId === id)),
    );
}

function parseClientToken(body: Buffer): string | undefined {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    const token =
      typeof parsed === 'object' &&
      parsed !== null &&
      'clientToken' in parsed &&
      parsed.clientToken;
    return typeof token === 'string' ? token : undefined;
  } catch {
    // The body is optional.
    return undefined;
  }
}

function addBounded(tokens: StopTokens, token: string, id: string): void {
  tokens.set(token, id);
  const [oldest] = tokens.keys();
  if (tokens.size > MAX_TOKENS && oldest !== undefined) tokens.delete(oldest);
}
