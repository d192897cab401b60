import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { JsonRpcMessage, JsonRpcResponse } from '../../mcp/message.ts';

/**
 * Response to a POST: JSON for a single message. It becomes an event stream if another message
 * comes before the last response.
 */
export class HttpServerReply {
  readonly #response: ServerResponse;
  readonly #takesStream: boolean;
  /** Number of outstanding responses. The POST ends at zero. */
  #owed: number;

  /** @param takesStream False if the client accepts only JSON. It then gets one message. */
  constructor(response: ServerResponse, options: { takesStream: boolean; owed: number }) {
    this.#response = response;
    this.#takesStream = options.takesStream;
    this.#owed = options.owed;
  }

  get isOver(): boolean {
    return this.#response.writableEnded || this.#response.destroyed;
  }

  /**
   * Sends a message other than a response. Resolves when there is room for more, or with false if
   * the message cannot be sent.
   */
  async say(message: JsonRpcMessage): Promise<boolean> {
    if (this.isOver || !this.#takesStream) return false;
    await this.#event(message);
    return true;
  }

  /** Sends one of the outstanding responses. */
  async answer(response: JsonRpcResponse, status = 200): Promise<void> {
    this.#owed--;
    if (this.isOver) return;
    if (this.#owed === 0 && !this.#response.headersSent) return this.#json(response, status);
    await this.#event(response);
    if (this.#owed === 0) this.#response.end();
  }

  /** Ends the POST with a message for the client to answer. */
  async handOver(message: JsonRpcMessage): Promise<void> {
    if (this.isOver) return;
    if (!this.#response.headersSent) return this.#json(message, 200);
    await this.#event(message);
    this.#response.end();
  }

  /** Drops one outstanding response, because its request was cancelled. */
  forgo(): void {
    this.#owed--;
    if (this.#owed > 0 || this.isOver) return;
    if (!this.#response.headersSent) this.#response.writeHead(202);
    this.#response.end();
  }

  #json(message: JsonRpcMessage, status: number): void {
    this.#response.writeHead(status, { 'content-type': 'application/json' }).end(message.bytes);
  }

  async #event(message: JsonRpcMessage): Promise<void> {
    const response = this.#response;
    if (!response.headersSent) {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    }
    response.cork();
    response.write('event: message\ndata: ');
    response.write(message.bytes);
    const hasRoom = response.write('\n\n');
    response.uncork();
    if (!hasRoom && !response.destroyed) {
      await Promise.race([once(response, 'drain'), once(response, 'close')]);
    }
  }
}
