import { type Agent, type IncomingMessage, request } from 'node:http';
import type { HttpExchange } from '../answers/http-exchange.ts';
import type { Clock } from '../clock.ts';
import { EventGate, type GateLimit } from './event-gate.ts';

/** What to do with a container's answer, once its status and headers are known. */
export type Verdict =
  | {
      readonly kind: 'send';
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      /** False for what must have none, such as the answer to a notification. */
      readonly body: boolean;
    }
  /** It is read to its end and thrown away. */
  | { readonly kind: 'drop' };

export interface Forward {
  readonly exchange: HttpExchange;
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Buffer;
  readonly agent: Agent;
  readonly clock: Clock;
  readonly judge: (answer: IncomingMessage) => Verdict;
  /** Milliseconds until an answer that is not a stream is given up, and until a stream is cut. */
  readonly synchronousMs: number;
  readonly streamingMs: number;
  /** Milliseconds of silence that cut a stream; 0 never. */
  readonly silenceMs: number;
  /** The container has the whole request; calling what is given here, it breaks off. */
  readonly sent?: ((breakOff: () => void) => void) | undefined;
  /** What an injected fault lets through, and what happens there. */
  readonly gate?: Gate | undefined;
}

interface Gate extends GateLimit {
  /** The connection ends in order, is reset, or hangs. */
  readonly ending: 'cut' | 'reset' | 'stall';
  readonly reached?: (() => void) | undefined;
}

export type Forwarded =
  /** The client has it all, or as much as an injected fault lets through. */
  | 'sent'
  /** The judge had it dropped, and it came to its end. */
  | 'dropped'
  /** The container broke off before it answered; the client has nothing yet. */
  | 'failed'
  /** The container broke off in the middle, or a limit did, and the client was cut off. */
  | 'cut'
  | 'disconnected';

const HOST = '127.0.0.1';

/** A client that finds bytes and a reset at the same time takes it for an orderly end. */
const RESET_PAUSE_MS = 20;

/** Passes a request on to a container and its answer back, byte for byte, as fast as both go. */
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
      // A stream's client must see its head before the first event.
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
        // Stalled, it stays as it is until the client has had enough.
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
        // What has not left yet would go with the connection.
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
