import { AgentCoreError } from '../base/errors.ts';
import { type JsonRpcRequest, type JsonRpcResponse, parseResult } from '../mcp/message.ts';
import {
  type CallInfo,
  CancelledError,
  type Interceptor,
  type Peer,
  type RequestContext,
} from '../relay/peer.ts';
import { type CallRecord, getCallOutcome, type JournalRecord } from '../state/journal/records.ts';
import { sanitizeValue } from '../state/journal/sanitize.ts';

interface CallJournal {
  record(record: JournalRecord): void;
}

/** Writes one journal record for each client request when it has ended: size, duration, outcome. */
export class CallRecorderInterceptor implements Interceptor {
  readonly #journal: CallJournal;
  readonly #withContent: boolean;

  /** @param withContent If true, also records arguments and results, with secrets removed. */
  constructor(journal: CallJournal, withContent: boolean) {
    this.#journal = journal;
    this.#withContent = withContent;
  }

  async request(
    request: JsonRpcRequest,
    context: RequestContext,
    next: Peer,
  ): Promise<JsonRpcResponse> {
    if (context.direction === 'to-client') return next.request(request, context);
    const began = { at: new Date().toISOString(), time: performance.now() };
    try {
      const response = await next.request(request, context);
      this.#journal.record({
        ...this.#createCallRecord(request, began, context.call),
        bytesOut: response.bytes.length,
        outcome: getCallOutcome(response),
        ...(response.error && { code: Number(response.error.code) }),
        ...(this.#withContent &&
          !response.error && { result: sanitizeValue(parseResult(response)) }),
      });
      return response;
    } catch (thrown) {
      const isCancelled = thrown instanceof CancelledError;
      const code = thrown instanceof AgentCoreError ? thrown.data?.jsonRpcCode : undefined;
      this.#journal.record({
        ...this.#createCallRecord(request, began, context.call),
        bytesOut: 0,
        outcome: isCancelled ? 'cancelled' : 'failed',
        ...(typeof code === 'number' && { code }),
      });
      throw thrown;
    }
  }

  #createCallRecord(
    { method, params, bytes }: JsonRpcRequest,
    began: { readonly at: string; readonly time: number },
    { attempts, session, requestId, traceId }: CallInfo,
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
      ...(this.#withContent && { arguments: sanitizeValue(params?.arguments ?? params) }),
    };
  }
}
