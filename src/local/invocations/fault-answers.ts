import type { Dialect } from '../answers/dialect.ts';
import type { HttpExchange } from '../answers/http-exchange.ts';
import {
  type Answer,
  createJsonRpcErrorResponse,
  createRestErrorResponse,
} from '../answers/platform-error.ts';
import type { LocalEvents } from '../events.ts';
import type { ArmedFault } from '../fault.ts';
import type { RequestRecord } from '../request-log.ts';
import { EXPIRED_TOKEN } from '../signatures/sigv4-verifier.ts';

/** Faults that replace the container's response. */
type AnswerFault = Exclude<
  ArmedFault,
  { readonly kind: 'cut' | 'stall' | 'delay' | 'restart-container' | 'kill-microvm' }
>;

export function isAnswerFault(fault: ArmedFault): fault is AnswerFault {
  return 'phase' in fault;
}

/** Records the fault of a request, if any. */
export function recordFault(
  { events }: { readonly events: LocalEvents },
  record: RequestRecord,
  fault: ArmedFault | undefined,
): void {
  if (!fault) return;
  record.fault = fault.kind;
  events.emit(() => ({ type: 'fault', request: record }));
}

/**
 * Responds with the fault. After `silence`, the exchange stays open until the client disconnects.
 */
export function answerWithFault(
  exchange: HttpExchange,
  fault: AnswerFault,
  dialect: Dialect,
): void {
  switch (fault.kind) {
    case 'reset':
      exchange.reset();
      return;
    case 'silence':
      return;
    case 'empty':
      exchange.answer({ status: 200, headers: { 'Content-Type': 'application/json' }, body: '' });
      return;
    case 'broken-json':
      exchange.answer({
        status: 200,
        headers: { 'Content-Type': 'application/json' },
        body: `{"jsonrpc":"2.0","id":${JSON.stringify(dialect.id)},"resu`,
      });
      return;
    case 'throttle':
      exchange.answer(
        withRetryAfter(dialect.error({ kind: 'throttled', message: '' }), fault.retryAfter),
      );
      return;
    case 'platform-error':
      exchange.answer(
        withRetryAfter(
          dialect.error({ kind: fault.error, message: fault.message ?? '' }),
          fault.retryAfter,
        ),
      );
      return;
    case 'expired-credentials':
      exchange.answer(dialect.signature('expired-token', EXPIRED_TOKEN));
      return;
    case 'json-rpc-error':
      exchange.answer(createJsonRpcErrorResponse(fault.status, dialect.id, toJsonRpcError(fault)));
      return;
    case 'status':
      exchange.answer(withRetryAfter(createFaultResponse(fault), fault.retryAfter));
      return;
  }
}

function toJsonRpcError({
  code,
  message,
  data,
}: Extract<AnswerFault, { readonly kind: 'json-rpc-error' }>) {
  return data === undefined ? { code, message } : { code, message, data };
}

function createFaultResponse(fault: Extract<AnswerFault, { readonly kind: 'status' }>): Answer {
  if (fault.body === undefined && fault.status >= 400) {
    const answer = createRestErrorResponse(
      fault.status,
      fault.errorType ?? 'InternalServerException',
      fault.message ?? 'Injected error',
    );
    if (fault.errorType !== undefined) return answer;
    // A status outside the service model has no error type.
    return { ...answer, headers: { 'Content-Type': 'application/json' } };
  }
  const body = fault.body ?? '';
  const html = body.trimStart().startsWith('<');
  return {
    status: fault.status,
    headers: {
      'Content-Type': fault.contentType ?? (html ? 'text/html' : 'application/json'),
      ...(fault.errorType !== undefined && { 'x-amzn-ErrorType': fault.errorType }),
    },
    body,
  };
}

function withRetryAfter(answer: Answer, seconds: number | undefined): Answer {
  if (seconds === undefined) return answer;
  return { ...answer, headers: { ...answer.headers, 'Retry-After': String(seconds) } };
}
