import { AgentCoreError } from '../base/errors.ts';
import { ErrorCode } from '../mcp/message.ts';
import { findPlatformError } from '../mcp/platform-errors.ts';
import type { Settled } from '../relay/peer.ts';

/** The class of a failed call. It decides whether the proxy may send the call again. */
export interface FailureClass {
  /**
   * `not sent`: no connection was made. `refused`: AgentCore refused the call, and the server did
   * not receive it. `unknown`: the call may have run. `answered`: the server's own error. It is
   * final if the call must not run twice.
   */
  readonly outcome: 'not sent' | 'refused' | 'unknown' | 'answered';
  /** True if the failure is temporary: the same call may succeed a little later. */
  readonly isTransient: boolean;
  /** Minimum delay before the next attempt, as requested by the service. In milliseconds. */
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

/** Temporary HTTP statuses of AgentCore (source: its SDK model), proxies and load balancers. */
const TRANSIENT_STATUSES = new Set([409, 424, 429, 500, 502, 503, 504]);

/**
 * Classifies the outcome of a request for a retry.
 *
 * @param wait Milliseconds from the service's `Retry-After` header.
 * @returns `undefined` if the outcome is final: the server's own response, or an error outside the
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
  // If a call timed out after it was sent, no time is left for another attempt.
  if (code === 'timeout') return { outcome, wait, isTransient: outcome === 'not sent' };
  return { outcome, wait, isTransient: error === undefined || TRANSIENT_CODES.has(String(error)) };
}
