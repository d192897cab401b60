import { setTimeout as delay } from 'node:timers/promises';
import { AgentCoreError, messageOf } from '../error.ts';
import type { Log } from '../log.ts';
import { isLongLived } from '../mcp/era.ts';
import { ErrorCode } from '../mcp/errors.ts';
import {
  isObject,
  makeError,
  makeRequest,
  numericId,
  type Request,
  type Response,
  resultOf,
} from '../mcp/message.ts';
import { readPages } from '../mcp/pages.ts';
import type { ToolHeaders } from '../mcp/tool-headers.ts';
import { withUnknownOutcome } from '../relay/answers.ts';
import { type Interceptor, type Passage, throughInterceptors } from '../relay/interceptors.ts';
import { type Exchange, type Peer, type Trail, unlessAborted } from '../relay/peer.ts';
import { Heard } from './heard.ts';
import type { Idempotence } from './idempotence.ts';
import { type Answer, answerOf, unwrap, type Verdict, verdictOn } from './verdict.ts';

/** Milliseconds before the first retry. Each further delay is twice as long, up to the maximum. */
const FIRST_PAUSE = 200;
const LONGEST_PAUSE = 5_000;
/**
 * Milliseconds for which a service may be busy, or a session may be starting, before the call
 * fails.
 */
const BUSY_FOR = 60_000;
/** How often one call is sent again because its headers were derived from outdated tools. */
const MAX_HEADER_UPDATES = 2;

export interface RetryOptions {
  /** Maximum number of retries after a failure of the network or the server. 0 disables retries. */
  readonly repeats: number;
  /** Maximum duration of a request with all its attempts, in milliseconds. */
  readonly patience: number;
  readonly idempotence: Idempotence;
  readonly tools: ToolHeaders;
  readonly log: Log;
  /** Returns a number from 0 to 1. */
  readonly random?: () => number;
}

/**
 * Retries a call after a temporary failure if that cannot run a tool twice: the call is idempotent,
 * or the failure proves that it reached no server.
 */
export class Retry implements Interceptor {
  readonly #options: RetryOptions;
  /** The current list of tools after a header mismatch, shared by all calls that wait for it. */
  #listing: Promise<void> | undefined;

  constructor(options: RetryOptions) {
    this.#options = options;
  }

  async request(request: Request, passage: Passage, next: Peer): Promise<Response> {
    if (passage.from === 'server' || isLongLived(request)) return next.request(request, passage);
    const { idempotence, log } = this.#options;
    const started = performance.now();
    const heard = new Heard(passage.back);
    const trail: Trail = passage.trail ?? { attempts: 0 };
    const exchange = { ...passage, back: heard, trail };
    let failures = 0;
    let headerUpdates = 0;
    for (let attempt = 1; ; attempt++) {
      trail.retryAfter = undefined;
      const headers = this.#headersOf(request);
      const answer = await answerOf(next.request(request, exchange));
      if (request.method === 'tools/list' && 'response' in answer) {
        idempotence.learn(answer.response);
      }
      if (isHeaderMismatch(answer) && headerUpdates++ < MAX_HEADER_UPDATES) {
        if (headers === this.#headersOf(request)) await this.#listTools(request, passage, next);
        if (headers !== this.#headersOf(request)) continue;
      }
      const verdict = verdictOn(answer, (trail.retryAfter ?? 0) * 1000);
      if (!verdict) return unwrap(answer);
      // Refusals by a busy service do not count as retries.
      if (verdict.outcome !== 'refused') failures++;
      const isIdempotent = idempotence.isIdempotent(request);
      const pause = this.#pauseAfter({ attempt, failures }, verdict, performance.now() - started);
      const { outcome } = verdict;
      const isSafe = isIdempotent
        ? !heard.question
        : (outcome === 'not sent' || outcome === 'refused') && !heard.anything;
      if (!isSafe || pause === undefined || passage.signal.aborted) {
        return unwrap(outcome === 'unknown' ? unsure(answer) : answer);
      }
      log(
        'debug',
        `Sending ${request.method} again in ${Math.round(pause)} ms: ${wordsOf(answer)}`,
      );
      await delay(pause, undefined, { signal: passage.signal }).catch(() => {
        throw passage.signal.reason;
      });
    }
  }

  /** The headers that depend on the listed tools, for comparison. */
  #headersOf(request: Request): string {
    return JSON.stringify(this.#options.tools.for(request));
  }

  /**
   * Lists the tools again after a header mismatch. The server checks the headers before the body, so
   * the call did not run.
   */
  async #listTools(request: Request, { back, signal }: Passage, next: Peer): Promise<void> {
    // Other calls wait for the list as well, so it continues if this call is cancelled.
    const exchange = { back, signal: AbortSignal.timeout(this.#options.patience) };
    this.#listing ??= readTools(request, throughInterceptors([this], next), exchange).finally(
      () => {
        this.#listing = undefined;
      },
    );
    // All waiting calls may be cancelled before it fails.
    this.#listing.catch(() => undefined);
    try {
      await unlessAborted(this.#listing, signal);
    } catch (cause) {
      signal.throwIfAborted();
      const { code, data } = cause instanceof AgentCoreError ? cause : { code: 'timeout' as const };
      const name = String(request.params?.name);
      throw new AgentCoreError(
        code,
        `Could not call ${name}: the server refused its headers, and listing the tools to correct them failed: ${messageOf(cause)}`,
        { cause, data: { ...data, outcome: 'refused' } },
      );
    }
  }

  /** Milliseconds until the next attempt, or `undefined` if there is none. */
  #pauseAfter(
    { attempt, failures }: { readonly attempt: number; readonly failures: number },
    verdict: Verdict,
    spent: number,
  ): number | undefined {
    const { repeats, patience, random = Math.random } = this.#options;
    if (!verdict.passes || repeats === 0) return undefined;
    const backoff = Math.min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE);
    const pause = Math.max(verdict.wait, backoff * (0.5 + random() / 2));
    // A busy service refuses without any effect, so the proxy retries for longer.
    const bound = verdict.outcome === 'refused' ? Math.min(patience, BUSY_FOR) : patience;
    if (verdict.outcome !== 'refused' && failures > repeats) return undefined;
    return spent + pause > bound ? undefined : pause;
  }
}

function isHeaderMismatch(answer: Answer): boolean {
  return 'response' in answer && answer.response.error?.code === ErrorCode.headerMismatch;
}

/** Reads all pages of `tools/list` in the name of a call. The server's end stores the tools. */
async function readTools({ params }: Request, server: Peer, exchange: Exchange): Promise<void> {
  const given = isObject(params?._meta) ? params._meta : {};
  const { progressToken: _, ..._meta } = given;
  const read = async (cursor: string | undefined) => {
    const page = cursor === undefined ? { _meta } : { _meta, cursor };
    const response = await server.request(makeRequest(numericId(0), 'tools/list', page), exchange);
    if (!response.error) return resultOf(response);
    const { code, message, data } = response.error;
    throw new AgentCoreError('upstream', String(message), {
      data: { ...(isObject(data) && data), jsonRpcCode: code },
    });
  };
  for await (const _ of readPages(read, (page) => isObject(page) && page.nextCursor));
}

function wordsOf(answer: Answer): string {
  if ('thrown' in answer) return (answer.thrown as Error).message;
  return String(answer.response.error?.message);
}

/** Adds the unknown outcome to an error: the call may have run. */
function unsure(answer: Answer): Answer {
  const sentence = withUnknownOutcome(wordsOf(answer));
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
    response: makeError(id, {
      code: Number(error?.code),
      message: sentence,
      data: { ...given, outcome: 'unknown' },
    }),
  };
}
