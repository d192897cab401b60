import { type Agent, type IncomingMessage, request } from 'node:http';
import type { Clock } from '../core/clock.ts';
import type { HttpExchange } from '../http/exchange.ts';

// Forwards one request to a container, and limits the response if a fault requires this.

/** The treatment of a container's response, decided from its status and headers. */
export type ForwardAction =
  | {
      readonly kind: 'send';
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      /** False if the response has no body, for example for a notification. */
      readonly body: boolean;
    }
  /** Read the whole response and discard it. */
  | { readonly kind: 'drop' };

export interface Forward {
  readonly exchange: HttpExchange;
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Buffer;
  readonly agent: Agent;
  readonly clock: Clock;
  /** Decides how to treat the response. Called after its headers were received. */
  readonly judge: (answer: IncomingMessage) => ForwardAction;
  /** Timeout of a non-streaming response in milliseconds. */
  readonly synchronousMs: number;
  /** Milliseconds until a stream is cut. */
  readonly streamingMs: number;
  /** Milliseconds without data until a stream is cut. 0 disables the limit. */
  readonly silenceMs: number;
  /** Called when the container has the whole request. `breakOff` aborts the forwarding. */
  readonly sent?: ((breakOff: () => void) => void) | undefined;
  /** Limits the response, for an injected fault. */
  readonly gate?: Gate | undefined;
}

interface Gate extends GateLimit {
  /** How the connection ends at the limit: closed in order, reset, or left open. */
  readonly ending: 'cut' | 'reset' | 'stall';
  readonly reached?: (() => void) | undefined;
}

type Forwarded =
  /** The client has the complete response, or the part up to the limit of a fault. */
  | 'sent'
  /** The response was complete and was discarded. */
  | 'dropped'
  /** The container failed before its response. Nothing was sent to the client. */
  | 'failed'
  /** The container failed or a time limit passed during the response. The connection was closed. */
  | 'cut'
  | 'disconnected';

const HOST = '127.0.0.1';

/**
 * Milliseconds between the last data and the reset. A client that receives both together may see a
 * normal end.
 */
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
      // Send the headers of a stream before its first event.
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
        // The connection stays open until the client closes it.
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
        // Wait for the write, because closing the connection could discard buffered bytes.
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

/** Maximum number of events or bytes. The first limit reached applies. */
interface GateLimit {
  readonly afterEvents?: number | undefined;
  readonly afterBytes?: number | undefined;
}

const LF = 10;

const CR = 13;

/** Passes the first events or bytes of a stream, and drops the rest. */
class EventGate {
  readonly #events: number;
  readonly #bytes: number;
  #seenEvents = 0;
  #seenBytes = 0;
  /** Line endings since the last other character. Two complete an event. */
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

  /** Returns the part of a chunk within the limits. */
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
      // An event that ends with CR LF CR LF is complete only after the last byte.
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
