import { getBackoffDelay, SingleFlight, sleep, withAbort } from '../base/async.ts';
import { AgentCoreError, getErrorMessage } from '../base/errors.ts';
import type { Log } from '../base/logger.ts';
import {
  createErrorResponse,
  createRequest,
  createRequestId,
  ErrorCode,
  isObject,
  type JsonRpcRequest,
  type JsonRpcResponse,
  parseResult,
} from '../mcp/message.ts';
import { isSubscriptionRequest, readPages } from '../mcp/protocol.ts';
import {
  applyInterceptors,
  createContext,
  type Interceptor,
  type Peer,
  type RequestContext,
  withUnknownOutcome,
} from '../relay/peer.ts';
import type { IdempotenceCatalog, ToolHeaderCatalog } from '../relay/tool-catalog.ts';
import { classifyFailure, type FailureClass, getOrThrow, type Settled, settle } from './failure.ts';
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
  readonly idempotence: IdempotenceCatalog;
  readonly tools: ToolHeaderCatalog;
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
  /** The `tools/list` in progress after a header mismatch. All waiting calls share it. */
  readonly #listing = new SingleFlight<void>();

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
    const { idempotence, log } = this.#options;
    const started = performance.now();
    const observed = new ObservedSender(context.sender);
    const observedContext = { ...context, sender: observed };
    const { call } = context;
    let failures = 0;
    let headerUpdates = 0;
    for (let attempt = 1; ; attempt++) {
      call.retryAfter = undefined;
      const headers = this.#learnToolHeaders(request);
      const answer = await settle(next.request(request, observedContext));
      if (request.method === 'tools/list' && 'response' in answer) {
        idempotence.learn(answer.response);
      }
      if (isHeaderMismatch(answer) && headerUpdates++ < MAX_HEADER_UPDATES) {
        if (headers === this.#learnToolHeaders(request))
          await this.#listTools(request, context, next);
        if (headers !== this.#learnToolHeaders(request)) continue;
      }
      const verdict = classifyFailure(answer, (call.retryAfter ?? 0) * 1000);
      if (!verdict) return getOrThrow(answer);
      // Refusals by a busy service do not count as retries.
      if (verdict.outcome !== 'refused') failures++;
      const isIdempotent = idempotence.isIdempotent(request);
      const pause = this.#getDelay({ attempt, failures }, verdict, performance.now() - started);
      const { outcome } = verdict;
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
      // If the call was aborted before it failed, this ends it: the failure was not its last attempt.
      await sleep(pause, context.signal);
    }
  }

  /** The call's headers derived from the listed tools, as a string for comparison. */
  #learnToolHeaders(request: JsonRpcRequest): string {
    return JSON.stringify(this.#options.tools.for(request));
  }

  /**
   * Lists the tools again after a header mismatch. The server checks the headers before the body,
   * so the call did not run.
   *
   * @throws {AgentCoreError} with the outcome `refused` if the listing fails.
   */
  async #listTools(
    request: JsonRpcRequest,
    { sender, signal }: RequestContext,
    next: Peer,
  ): Promise<void> {
    // Other calls wait for the list too, so it continues if this call is cancelled.
    const listing = this.#listing.run(() =>
      readTools(
        request,
        applyInterceptors([this], next),
        createContext('to-server', {
          sender,
          signal: AbortSignal.timeout(this.#options.timeoutMs),
        }),
      ),
    );
    try {
      await withAbort(listing, signal);
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
    // A refusal has no effect, so only time bounds it. Other failures also count against `maxRetries`.
    const bound = failure.outcome === 'refused' ? Math.min(timeoutMs, MAX_BUSY_MS) : timeoutMs;
    if (failure.outcome !== 'refused' && failures > maxRetries) return undefined;
    return spent + pause > bound ? undefined : pause;
  }
}

function isHeaderMismatch(answer: Settled): boolean {
  return 'response' in answer && answer.response.error?.code === ErrorCode.headerMismatch;
}

/** Reads all pages of `tools/list`, with the `_meta` of a call. `HttpSession` stores the tools. */
async function readTools(
  { params }: JsonRpcRequest,
  server: Peer,
  context: RequestContext,
): Promise<void> {
  const given = isObject(params?._meta) ? params._meta : {};
  const { progressToken: _, ..._meta } = given;
  const read = async (cursor: string | undefined) => {
    const page = cursor === undefined ? { _meta } : { _meta, cursor };
    const response = await server.request(
      createRequest(createRequestId(0), 'tools/list', page),
      context,
    );
    if (!response.error) return parseResult(response);
    const { code, message, data } = response.error;
    throw new AgentCoreError('upstream', String(message), {
      data: { ...(isObject(data) && data), jsonRpcCode: code },
    });
  };
  for await (const _ of readPages(read, (page) => isObject(page) && page.nextCursor));
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
