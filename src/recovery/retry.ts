import { getBackoffDelay, sleep } from '../base/async.ts';
import { AgentCoreError, getErrorMessage } from '../base/errors.ts';
import type { Log } from '../base/logger.ts';
import {
  createErrorResponse,
  ErrorCode,
  type JsonRpcRequest,
  type JsonRpcResponse,
} from '../mcp/message.ts';
import { isSubscriptionRequest } from '../mcp/protocol.ts';
import {
  applyInterceptors,
  getOrThrow,
  type Interceptor,
  type Peer,
  type RequestContext,
  type Settled,
  settle,
  withUnknownOutcome,
} from '../relay/peer.ts';
import type { ToolCatalog } from '../relay/tool-catalog.ts';
import { classifyFailure, type FailureClass } from './failure.ts';
import { ObservedSender } from './session-replay.ts';

const BACKOFF = { initialMs: 200, maxMs: 5_000 };

/** Maximum milliseconds of retries while the service is busy or the session is starting. */
const MAX_BUSY_MS = 60_000;

/** Maximum number of attempts with corrected headers, if outdated tools caused wrong headers. */
const MAX_HEADER_UPDATES = 2;

export interface RetryOptions {
  /** Maximum number of retries after a failure of the network or the server. 0 disables retries. */
  readonly maxRetries: number;
  /** Maximum duration of a request with all its attempts, in milliseconds. */
  readonly timeoutMs: number;
  readonly tools: ToolCatalog;
  readonly log: Log;
  /** Returns a number from 0 to 1. */
  readonly random?: () => number;
}

/**
 * Retries a call after a temporary failure if a second attempt is safe. It is safe if the call is
 * idempotent, or if the failure proves that no server received it.
 */
export class RetryInterceptor implements Interceptor {
  readonly #options: RetryOptions;

  constructor(options: RetryOptions) {
    this.#options = options;
  }

  async request(
    request: JsonRpcRequest,
    context: RequestContext,
    next: Peer,
  ): Promise<JsonRpcResponse> {
    if (context.direction === 'to-client' || isSubscriptionRequest(request))
      return next.request(request, context);
    const { tools, log } = this.#options;
    const started = performance.now();
    const observed = new ObservedSender(context.sender);
    const observedContext = { ...context, sender: observed };
    const { call } = context;
    let failures = 0;
    let headerUpdates = 0;
    for (let attempt = 1; ; attempt++) {
      call.retryAfter = undefined;
      const headers = this.#getToolHeaders(request);
      const answer = await settle(next.request(request, observedContext));
      if ('response' in answer && !answer.response.error) return answer.response;
      if (isHeaderMismatch(request, answer) && headerUpdates++ < MAX_HEADER_UPDATES) {
        if (headers === this.#getToolHeaders(request))
          await this.#listTools(request, context, next);
        if (headers !== this.#getToolHeaders(request)) continue;
      }
      const failure = classifyFailure(answer, (call.retryAfter ?? 0) * 1000);
      if (!failure) return getOrThrow(answer);
      // Refusals by a busy service do not count as retries.
      if (failure.outcome !== 'refused') failures++;
      const isIdempotent = tools.isIdempotent(request);
      const pause = this.#getDelay({ attempt, failures }, failure, performance.now() - started);
      const { outcome } = failure;
      const isSafe = isIdempotent
        ? !observed.hasServerRequest
        : (outcome === 'not sent' || outcome === 'refused') && !observed.hasMessages;
      if (!isSafe || pause === undefined) {
        return getOrThrow(outcome === 'unknown' ? markUncertain(answer) : answer);
      }
      log(
        'debug',
        `Sending ${request.method} again in ${Math.round(pause)} ms: ${getMessageText(answer)}`,
      );
      // Throws if the call was aborted before it failed, because another attempt would follow.
      await sleep(pause, context.signal);
    }
  }

  /** The call's headers derived from the listed tools, as a string for comparison. */
  #getToolHeaders(request: JsonRpcRequest): string {
    return JSON.stringify(this.#options.tools.paramHeaders(request));
  }

  /**
   * Lists the tools again after a header mismatch. The server checks the headers before the body,
   * so the call did not run.
   *
   * @throws {AgentCoreError} with the outcome `refused` if the listing fails.
   */
  async #listTools(request: JsonRpcRequest, context: RequestContext, next: Peer): Promise<void> {
    const { tools, timeoutMs } = this.#options;
    const { signal } = context;
    try {
      await tools.refresh(request, applyInterceptors([this], next), context, timeoutMs);
    } catch (cause) {
      signal.throwIfAborted();
      const { code, data } = cause instanceof AgentCoreError ? cause : { code: 'timeout' as const };
      const name = String(request.params?.name);
      throw new AgentCoreError(
        code,
        `Could not call ${name}: the server refused its headers, and listing the tools to correct them failed: ${getErrorMessage(cause)}`,
        { cause, data: { ...data, outcome: 'refused' } },
      );
    }
  }

  /**
   * Returns the delay before the next attempt in milliseconds; `undefined` if there is none.
   *
   * @param spent Milliseconds since the first attempt.
   */
  #getDelay(
    { attempt, failures }: { readonly attempt: number; readonly failures: number },
    failure: FailureClass,
    spent: number,
  ): number | undefined {
    const { maxRetries, timeoutMs, random = Math.random } = this.#options;
    if (!failure.isTransient || maxRetries === 0) return undefined;
    const pause = Math.max(failure.wait, getBackoffDelay(attempt, BACKOFF, random));
    // A refusal has no effect, so only time limits it. `maxRetries` limits the other failures too.
    const bound = failure.outcome === 'refused' ? Math.min(timeoutMs, MAX_BUSY_MS) : timeoutMs;
    if (failure.outcome !== 'refused' && failures > maxRetries) return undefined;
    return spent + pause > bound ? undefined : pause;
  }
}

function isHeaderMismatch({ method }: JsonRpcRequest, answer: Settled): boolean {
  if (method !== 'tools/call' || !('response' in answer)) return false;
  return answer.response.error?.code === ErrorCode.headerMismatch;
}

function getMessageText(answer: Settled): string {
  if ('thrown' in answer) return (answer.thrown as Error).message;
  return String(answer.response.error?.message);
}

/** Sets the outcome of an error to `unknown`, because the call may have run. */
function markUncertain(answer: Settled): Settled {
  const sentence = withUnknownOutcome(getMessageText(answer));
  if ('thrown' in answer) {
    const { code, data } = answer.thrown as AgentCoreError;
    return {
      thrown: new AgentCoreError(code, sentence, {
        cause: answer.thrown,
        data: { ...data, outcome: 'unknown' },
      }),
    };
  }
  const { id, error } = answer.response;
  const given = typeof error?.data === 'object' ? error.data : { data: error?.data };
  return {
    response: createErrorResponse(id, {
      code: Number(error?.code),
      message: sentence,
      data: { ...given, outcome: 'unknown' },
    }),
  };
}
