import { AgentCoreError } from '../error.ts';
import { spanAt } from '../mcp/json-spans.ts';
import { type Request, type Response, resultOf } from '../mcp/message.ts';
import type { Interceptor, Passage } from '../relay/interceptors.ts';
import { Cancelled, type Peer, type Trail } from '../relay/peer.ts';
import type { CallOutcome, CallRecord, JournalRecord } from './records.ts';
import { redacted } from './redaction.ts';

/** Records each client request when it has ended. */
export class CallRecorder implements Interceptor {
  readonly #record: (record: JournalRecord) => void;
  readonly #withContent: boolean;

  /** @param withContent If true, also records arguments and results, with secrets removed. */
  constructor(record: (record: JournalRecord) => void, withContent: boolean) {
    this.#record = record;
    this.#withContent = withContent;
  }

  async request(request: Request, passage: Passage, next: Peer): Promise<Response> {
    if (passage.from === 'server') return next.request(request, passage);
    const began = { at: new Date().toISOString(), time: performance.now() };
    const trail: Trail = passage.trail ?? { attempts: 0 };
    try {
      const response = await next.request(request, { ...passage, trail });
      this.#record({
        ...this.#callOf(request, began, trail),
        bytesOut: response.bytes.length,
        outcome: outcomeOf(response),
        ...(response.error && { code: Number(response.error.code) }),
        ...(this.#withContent && !response.error && { result: redacted(resultOf(response)) }),
      });
      return response;
    } catch (thrown) {
      const isCancelled = thrown instanceof Cancelled;
      const code = thrown instanceof AgentCoreError ? thrown.data?.jsonRpcCode : undefined;
      this.#record({
        ...this.#callOf(request, began, trail),
        bytesOut: 0,
        outcome: isCancelled ? 'cancelled' : 'failed',
        ...(typeof code === 'number' && { code }),
      });
      throw thrown;
    }
  }

  #callOf(
    { method, params, bytes }: Request,
    began: { readonly at: string; readonly time: number },
    { attempts, session, requestId, traceId }: Trail,
  ): Omit<CallRecord, 'bytesOut' | 'outcome'> {
    const name = params?.name ?? params?.uri;
    return {
      type: 'call',
      at: began.at,
      session,
      method,
      ...(typeof name === 'string' && { name }),
      milliseconds: Math.round((performance.now() - began.time) * 10) / 10,
      bytesIn: bytes.length,
      attempts,
      requestId,
      traceId,
      ...(this.#withContent && { arguments: redacted(params?.arguments ?? params) }),
    };
  }
}

/** The outcome of a request with a response. */
export function outcomeOf(response: Response): CallOutcome {
  if (response.error) return 'error';
  return isToolError(response) ? 'tool-error' : 'result';
}

/** Searches the bytes first and parses only on a match, because a response may be large. */
function isToolError({ bytes }: Response): boolean {
  if (!bytes.includes('"isError"')) return false;
  const span = spanAt(bytes, ['result', 'isError']);
  return span !== undefined && bytes.toString('latin1', span.start, span.end) === 'true';
}
