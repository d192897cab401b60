import { AgentCoreError } from '../error.ts';
import { ErrorCode } from '../mcp/errors.ts';
import type { Response } from '../mcp/message.ts';
import { platformError } from '../mcp/platform-errors.ts';

/** What came of a request: a response, or what was thrown in place of one. */
export type Answer = { readonly response: Response } | { readonly thrown: unknown };

export async function answerOf(work: Promise<Response>): Promise<Answer> {
  try {
    return { response: await work };
  } catch (thrown) {
    return { thrown };
  }
}

/** The response, or what was thrown, for whoever made an {@link Answer} of it. */
export function unwrap(answer: Answer): Response {
  if ('thrown' in answer) throw answer.thrown;
  return answer.response;
}

/** What is known of a call that failed on the way to its server. */
export interface Verdict {
  /**
   * `not sent`: nobody heard of it. `refused`: the server did not. `unknown`: it may have run.
   * `answered`: the server's own error, which is the answer to what must not run twice.
   */
  readonly outcome: 'not sent' | 'refused' | 'unknown' | 'answered';
  /** True where the same call may succeed a little later. */
  readonly passes: boolean;
  /** Milliseconds that the service wants to be left alone first. */
  readonly wait: number;
}

/** Errors of the network that pass by themselves, as a name that was wrong does not. */
const PASSING = new Set([
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

/** Statuses that pass: those of AgentCore's model, and those of what stands before it. */
const PASSING_STATUSES = new Set([409, 424, 429, 500, 502, 503, 504]);

/**
 * @param wait Milliseconds that the service wants to be left alone, as far as its headers said.
 * @returns `undefined` for an answer of the server's own, and for what is no failure of the way.
 */
export function verdictOn(answer: Answer, wait = 0): Verdict | undefined {
  if ('response' in answer) {
    const { error, httpStatus } = answer.response;
    if (!error) return undefined;
    const known = platformError(error);
    if (known) return { ...known, wait };
    const isThrottled = error.code === ErrorCode.throttled || httpStatus === 429;
    return isThrottled ? { outcome: 'answered', passes: true, wait } : undefined;
  }
  const { thrown } = answer;
  if (!(thrown instanceof AgentCoreError)) return undefined;
  switch (thrown.code) {
    case 'connection':
    case 'timeout':
    case 'upstream':
      return verdictOnFailure(thrown);
    default:
      return undefined;
  }
}

function verdictOnFailure({ code, data = {}, message }: AgentCoreError): Verdict {
  const { outcome: known, status, error, name, retryAfter } = data;
  const outcome = known === 'not sent' || known === 'refused' ? known : 'unknown';
  const wait = typeof retryAfter === 'number' ? retryAfter * 1000 : 0;
  if (typeof status === 'number' && code === 'upstream') {
    const lasts =
      status === 409 && name !== 'RetryableConflictException' && !/please retry/i.test(message);
    return { outcome, wait, passes: PASSING_STATUSES.has(status) && !lasts };
  }
  // Once it was sent, a timeout has used up the time that the call had.
  if (code === 'timeout') return { outcome, wait, passes: outcome === 'not sent' };
  return { outcome, wait, passes: error === undefined || PASSING.has(String(error)) };
}
