import type { HttpExchange } from './http-exchange.ts';
import { type Answer, createRestErrorResponse } from './platform-error.ts';

const LOCAL_NAMES: ReadonlySet<string> = new Set(['localhost', '127.0.0.1']);

/**
 * Rejects requests from foreign web pages: a cross-origin `Origin`, or a `Host` of another name
 * (DNS rebinding). The local sign-in pages pass, because they have the same origin.
 */
export function rejectForeignRequest(exchange: HttpExchange): Answer | undefined {
  const host = exchange.header('host');
  const hostname = host === undefined ? 'localhost' : URL.parse(`http://${host}`)?.hostname;
  if (!LOCAL_NAMES.has(hostname ?? '')) {
    return createForbiddenResponse(
      `The Host header names ${host}, but only 127.0.0.1 and localhost are served`,
    );
  }
  const origin = exchange.header('origin');
  if (origin !== undefined && origin !== `http://${host}`) {
    return createForbiddenResponse(
      `The Origin ${origin} is not allowed: only pages of the local AgentCore are`,
    );
  }
  return undefined;
}

/** Rejects an MCP message if its content type is not JSON. */
export function rejectNonJson(exchange: HttpExchange): Answer | undefined {
  const type = exchange.header('content-type');
  if (type === undefined || /^application\/([\w.+-]+\+)?json\s*(;|$)/i.test(type.trim())) {
    return undefined;
  }
  const message = `The Content-Type is ${type}, but MCP messages are application/json`;
  return createRestErrorResponse(415, 'UnsupportedMediaTypeException', message);
}

function createForbiddenResponse(message: string): Answer {
  return createRestErrorResponse(403, 'AccessDeniedException', message);
}
