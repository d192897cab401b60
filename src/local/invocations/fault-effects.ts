import type { ArmedFault } from '../config/faults.ts';
import type { Clock } from '../core/clock.ts';
import type { LocalEvents } from '../core/events.ts';
import type { RequestRecord } from '../core/history.ts';
import {
  type Answer,
  createJsonRpcErrorResponse,
  createRestErrorResponse,
} from '../http/errors.ts';
import type { Dialect, HttpExchange } from '../http/exchange.ts';
import { EXPIRED_TOKEN } from '../identity/sigv4-verifier.ts';
import type { RuntimeSession } from '../sessions/runtime-session.ts';
import type { Forward } from './forward.ts';

// The effects of injected faults on a response, a container or a microVM.

/** Faults that replace the response of the container. */
type AnswerFault = Exclude<
  ArmedFault,
  { readonly kind: 'cut' | 'stall' | 'delay' | 'restart-container' | 'kill-microvm' }
>;

export function isAnswerFault(fault: ArmedFault): fault is AnswerFault {
  return 'phase' in fault;
}

/** Records the fault of a request, if there is one, and emits an event. */
export function recordFault(
  { events }: { readonly events: LocalEvents },
  record: RequestRecord,
  fault: ArmedFault | undefined,
): void {
  if (!fault) return;
  record.fault = fault.kind;
  events.emit(() => ({ type: 'fault', request: record }));
}

/** Sends the response of the fault. For `silence`, sends nothing until the client disconnects. */
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

type Disturbance = Extract<ArmedFault, { readonly kind: 'restart-container' | 'kill-microvm' }>;

/**
 * Kills the microVM or replaces the container, if a fault requires this before or after the
 * request.
 */
export async function disturb(
  fault: ArmedFault | undefined,
  session: RuntimeSession,
  moment: 'before' | 'after',
): Promise<void> {
  if (isDisturbance(fault) && fault.when === moment) await applyDisturbance(fault, session);
}

/** Creates the hooks for a fault that takes effect while the container handles the request. */
export function createDisturbanceHooks(
  fault: ArmedFault | undefined,
  session: RuntimeSession,
  clock: Clock,
): Pick<Forward, 'sent' | 'gate'> {
  if (fault?.kind === 'stall') return { gate: { ...fault, ending: 'stall' } };
  if (fault?.kind === 'cut') {
    return { gate: { ...fault, ending: fault.by === 'reset' ? 'reset' : 'cut' } };
  }
  if (!isDisturbance(fault) || fault.when !== 'during') return {};
  const { afterEvents, afterMs } = fault;
  const run = () => void applyDisturbance(fault, session);
  if (afterEvents !== undefined) return { gate: { afterEvents, ending: 'cut', reached: run } };
  const end = (breakOff: () => void) => {
    // Discard the response, even if the container answered before the fault.
    breakOff();
    run();
  };
  return {
    sent: afterMs === undefined ? end : (breakOff) => clock.after(afterMs, () => end(breakOff)),
  };
}

function isDisturbance(fault: ArmedFault | undefined): fault is Disturbance {
  return fault?.kind === 'restart-container' || fault?.kind === 'kill-microvm';
}

async function applyDisturbance({ kind }: Disturbance, session: RuntimeSession): Promise<void> {
  if (kind === 'restart-container') await session.restart();
  else await session.stop('microvm-killed');
}
