import { AgentCoreError } from '../base/errors.ts';
import { ErrorCode, type JsonRpcResponse } from '../mcp/message.ts';
import { findPlatformError } from '../mcp/platform-errors.ts';

/** The outcome of a request: a response or an error. */
export type Settled = { readonly response: JsonRpcResponse } | { readonly thrown: unknown };

export async function settle(work: Promise<JsonRpcResponse>): Promise<Settled> {
  try {
    return { response: await work };
  } catch (thrown) {
    return { thrown };
  }
}

/** Returns the response, or throws the error. */
export function getOrThrow(answer: Settled): JsonRpcResponse {
  if ('thrown' in answer) throw answer.thrown;
  return answer.response;
}

/** The classification of a call that failed before its server answered. */
export interface FailureClass {
  /**
   * `not sent`: no connection was made. `refused`: AgentCore refused it, and the server did not
   * receive it. `unknown`: it may have run. `answered`: the server's own error, which is final for
   * a call that must not run twice.
   */
  readonly outcome: 'not sent' | 'refused' | 'unknown' | 'answered';
  /** True if the same call may succeed a little later. */
  readonly isTransient: boolean;
  /** Milliseconds that the service requests before the next attempt. */
  readonly wait: number;
}

/** Network errors that may be temporary. Others, such as certificate errors, are permanent. */
const TRANSIENT_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EMFILE',
]);

/**
 * Temporary HTTP statuses: those of AgentCore's model, and those of the proxies and load balancers
 * before it.
 */
const TRANSIENT_STATUSES = new Set([409, 424, 429, 500, 502, 503, 504]);

/**
 * @param wait Milliseconds that the service requests before the next attempt, from its headers.
 * @returns `undefined` for the server's own answer, and for errors that are not failures of the
 *   transport.
 */
export function classifyFailure(answer: Settled, wait = 0): FailureClass | undefined {
  if ('response' in answer) {
    const { error, httpStatus } = answer.response;
    if (!error) return undefined;
    const known = findPlatformError(error);
    if (known) return { ...known, wait };
    const isThrottled = error.code === ErrorCode.throttled || httpStatus === 429;
    return isThrottled ? { outcome: 'answered', isTransient: true, wait } : undefined;
  }
  const { thrown } = answer;
  if (!(thrown instanceof AgentCoreError)) return undefined;
  switch (thrown.code) {
    case 'connection':
    case 'timeout':
    case 'upstream':
      return classifyError(thrown);
    default:
      return undefined;
  }
}

function classifyError({ code, data = {}, message }: AgentCoreError): FailureClass {
  const { outcome: known, status, error, name, retryAfter } = data;
  const outcome = known === 'not sent' || known === 'refused' ? known : 'unknown';
  const wait = typeof retryAfter === 'number' ? retryAfter * 1000 : 0;
  if (typeof status === 'number' && code === 'upstream') {
    const lasts =
      status === 409 && name !== 'RetryableConflictException' && !/please retry/i.test(message);
    return { outcome, wait, isTransient: TRANSIENT_STATUSES.has(status) && !lasts };
  }
  // After a call was sent, a timeout means that its time is used up.
  if (code === 'timeout') return { outcome, wait, isTransient: outcome === 'not sent' };
  return { outcome, wait, isTransient: error === undefined || TRANSIENT_CODES.has(String(error)) };
}
