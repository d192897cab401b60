import { type Agent, type IncomingMessage, request } from 'node:http';
import type { Clock } from '../core/clock.ts';
import type { HttpExchange } from '../http/exchange.ts';

/** How to handle a container's response, decided from its status and headers. */
export type ForwardAction =
  | {
      readonly kind: 'send';
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      /** False if the response must have no body, for example for a notification. */
      readonly body: boolean;
    }
  /** Read the response to its end and discard it. */
  | { readonly kind: 'drop' };

export interface Forward {
  readonly exchange: HttpExchange;
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Buffer;
  readonly agent: Agent;
  readonly clock: Clock;
  readonly judge: (answer: IncomingMessage) => ForwardAction;
  /** Milliseconds until a non-streaming response is given up, and until a stream is cut. */
  readonly synchronousMs: number;
  readonly streamingMs: number;
  /** Milliseconds of silence before a stream is cut; 0 disables the limit. */
  readonly silenceMs: number;
  /** Called when the container has the whole request. `breakOff` aborts the exchange. */
  readonly sent?: ((breakOff: () => void) => void) | undefined;
  /** Limits the forwarded stream for an injected fault. */
  readonly gate?: Gate | undefined;
}

interface Gate extends GateLimit {
  /** How the connection ends: closed in order, reset, or left hanging. */
  readonly ending: 'cut' | 'reset' | 'stall';
  readonly reached?: (() => void) | undefined;
}

type Forwarded =
  /** The client has the complete response, or the part passed by an injected fault. */
  | 'sent'
  /** The response was complete and was discarded, as `judge` requested. */
  | 'dropped'
  /** The container failed before it responded. Nothing was sent to the client. */
  | 'failed'
  /** The container failed or a limit was reached in mid-response, and the client was cut off. */
  | 'cut'
  | 'disconnected';

const HOST = '127.0.0.1';

/** A client that receives data and a reset together may treat it as a normal end. */
const RESET_PAUSE_MS = 20;

/** Forwards a request to a container and streams its response back unchanged. */
export function forward(options: Forward): Promise<Forwarded> {
  const { exchange, clock } = options;
  const { response } = exchange;
  if (exchange.disconnected) return Promise.resolve('disconnected');
  return new Promise((resolve) => {
    let settled = false;
    let cancelLimit = clock.after(options.synchronousMs, giveUp);
    let cancelSilence: (() => void) | undefined;
    const outgoing = request({
      host: HOST,
      port: options.port,
      path: options.path,
      method: 'POST',
      agent: options.agent,
      headers: { ...options.headers, 'content-length': options.body.length },
    });

    function settle(outcome: Forwarded): void {
      if (settled) return;
      settled = true;
      cancelLimit();
      cancelSilence?.();
      response.off('close', clientLeft);
      resolve(outcome);
    }
    function clientLeft(): void {
      settle('disconnected');
      outgoing.destroy();
    }
    function giveUp(): void {
      containerBroke();
      outgoing.destroy();
    }
    function containerBroke(): void {
      if (settled) return;
      if (response.headersSent) exchange.cut();
      settle(response.headersSent ? 'cut' : 'failed');
    }
    function watchSilence(): void {
      if (options.silenceMs === 0) return;
      cancelSilence?.();
      cancelSilence = clock.after(options.silenceMs, giveUp);
    }

    function answered(answer: IncomingMessage): void {
      const verdict = options.judge(answer);
      answer.on('error', containerBroke);
      answer.on('close', () => {
        if (!answer.complete) containerBroke();
      });
      if (verdict.kind === 'drop') {
        answer.on('end', () => settle('dropped'));
        answer.resume();
        return;
      }
      if (isStream(answer)) {
        cancelLimit();
        cancelLimit = clock.after(options.streamingMs, giveUp);
        watchSilence();
      }
      exchange.begin(verdict.status, verdict.headers);
      if (!verdict.body) {
        answer.resume();
        response.end();
        settle('sent');
        return;
      }
      if (options.gate) passThroughGate(answer, options.gate);
      else passAll(answer);
    }

    function passAll(answer: IncomingMessage): void {
      // The client must see the headers of a stream before the first event.
      if (isStream(answer)) response.flushHeaders();
      if (options.silenceMs > 0) answer.on('data', watchSilence);
      answer.on('end', () => settle('sent'));
      answer.pipe(response);
    }

    function passThroughGate(answer: IncomingMessage, limit: Gate): void {
      const gate = new EventGate(limit);
      response.flushHeaders();
      const shut = () => {
        answer.pause();
        limit.reached?.();
        // A stalled response stays open until the client disconnects.
        if (limit.ending === 'stall') return;
        if (limit.ending === 'cut') endWith(() => exchange.cut());
        else clock.after(RESET_PAUSE_MS, () => endWith(() => exchange.reset()));
      };
      const endWith = (end: () => void) => {
        end();
        settle('sent');
        outgoing.destroy();
      };
      if (gate.shut) {
        shut();
        return;
      }
      answer.on('data', (chunk: Buffer) => {
        if (gate.shut) return;
        const admitted = gate.admit(chunk);
        // Wait for the write to finish, because closing the connection could discard buffered
        // bytes.
        if (gate.shut) response.write(admitted, shut);
        else response.write(admitted);
      });
      answer.on('end', () => {
        if (gate.shut) return;
        response.end();
        settle('sent');
      });
    }

    response.once('close', clientLeft);
    outgoing.on('error', containerBroke);
    outgoing.on('response', answered);
    outgoing.end(options.body, () => options.sent?.(giveUp));
  });
}

function isStream(answer: IncomingMessage): boolean {
  return answer.headers['content-type']?.startsWith('text/event-stream') ?? false;
}

/** Maximum number of events or bytes to pass. The first limit reached applies. */
interface GateLimit {
  readonly afterEvents?: number | undefined;
  readonly afterBytes?: number | undefined;
}

const LF = 10;

const CR = 13;

/** Passes the first events or bytes of a stream and drops the rest. */
class EventGate {
  readonly #events: number;
  readonly #bytes: number;
  #seenEvents = 0;
  #seenBytes = 0;
  /** Line ends since the last other character. Two complete an event. */
  #lineEnds = 0;
  #previous = 0;

  constructor({ afterEvents, afterBytes }: GateLimit) {
    const unlimited = Number.POSITIVE_INFINITY;
    this.#events = afterEvents ?? unlimited;
    this.#bytes = afterBytes ?? (afterEvents === undefined ? 0 : unlimited);
  }

  get shut(): boolean {
    return this.#seenEvents >= this.#events || this.#seenBytes >= this.#bytes;
  }

  /** The part of a chunk within the limits. */
  admit(chunk: Buffer): Buffer {
    let length = 0;
    while (length < chunk.length && !this.shut) {
      this.#count(chunk[length] as number);
      length += 1;
    }
    return chunk.subarray(0, length);
  }

  #count(byte: number): void {
    this.#seenBytes += 1;
    const secondOfPair = byte === LF && this.#previous === CR;
    if (byte === LF || byte === CR) {
      if (!secondOfPair) this.#lineEnds += 1;
      // CR LF CR LF ends an event only with its last byte.
      if (this.#lineEnds === 2 && (byte === LF || this.#seenBytes === this.#bytes)) {
        this.#seenEvents += 1;
        this.#lineEnds = 0;
      }
    } else {
      this.#lineEnds = 0;
    }
    this.#previous = byte;
  }
}
