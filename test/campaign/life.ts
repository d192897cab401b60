import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { PlannedCall, PlannedLife } from './plan.ts';
import { type Line, ProxyClient } from './proxy-client.ts';

/**
 * Milliseconds after which a stopped proxy counts as hanging, on any machine. Other tests check its
 * exact shutdown time.
 */
const ENDING = 60_000;
/** Milliseconds after which a call counts as unanswered, on any machine. */
const ANSWERING = 240_000;
/** Maximum number of `initialize` attempts of a client. */
const HANDSHAKES = 10;

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'campaign', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
};

const REPLIES = {
  accept: { result: { action: 'accept', content: {} } },
  decline: { result: { action: 'decline' } },
  error: { error: { code: -32603, message: 'The client cannot ask anybody' } },
  silence: undefined,
} as const;

export interface LifeOptions {
  readonly life: PlannedLife;
  /** The proxy's program, and its environment besides the settings of the life. */
  readonly program: string;
  readonly env: Readonly<Record<string, string>>;
  /** Called when each tool call begins. */
  readonly onCall: () => void;
  readonly onWrong: (rule: string, words: string, key?: string) => void;
  /** Aborts when the campaign is aborted. */
  readonly signal: AbortSignal;
}

/** One proxy from start to end, and its client. */
export class Life {
  readonly planned: PlannedLife;
  readonly client: ProxyClient;
  /** Milliseconds from the stop signal to the exit. */
  endMs: number | undefined;
  readonly #options: LifeOptions;
  readonly #calls: ReadonlyMap<string, PlannedCall>;

  constructor(options: LifeOptions) {
    const { life, program, env, onWrong } = options;
    this.planned = life;
    this.#options = options;
    this.#calls = new Map(life.calls.map((call) => [call.key, call]));
    const replyTo = (key: string) => REPLIES[this.#calls.get(key)?.reply ?? 'accept'];
    this.client = new ProxyClient(program, { ...env, ...life.env }, replyTo, onWrong);
    options.signal.addEventListener('abort', () => this.client.end('sigkill'), { once: true });
  }

  get wasKilled(): boolean {
    return this.planned.end.how === 'sigkill';
  }

  /** Resolves when the process has exited. */
  async run(): Promise<void> {
    const { calls, end } = this.planned;
    const work = this.#begin().then((begun) => (begun ? this.#callAll() : undefined));
    // The duration depends on the machine. The campaign as a whole has a limit.
    if (calls.length > 0) await Promise.race([work, this.client.exited]);
    if (end.open) await delay(end.after);
    await this.#end();
  }

  /** @returns False if the client has no server. */
  async #begin(): Promise<boolean> {
    const { era, lists } = this.planned;
    if (era === 'handshake' && !(await this.#initialize())) return false;
    if (era === 'stateless') await this.client.request('server/discover', { _meta: META });
    if (!lists) return true;
    const params = era === 'handshake' ? {} : { _meta: META };
    const listed = await this.client.request('tools/list', params);
    if (listed?.error) await this.client.request('tools/list', params);
    return true;
  }

  async #initialize(): Promise<boolean> {
    for (let attempt = 1; attempt <= HANDSHAKES; attempt += 1) {
      const answer = await this.client.request('initialize', {
        protocolVersion: '2025-11-25',
        capabilities: { elicitation: {} },
        clientInfo: { name: 'campaign', version: '1' },
        _meta: { traceparent: traceparentOf(this.planned.name) },
      });
      if (answer?.result) {
        this.client.notify('notifications/initialized');
        return true;
      }
      await delay(50);
    }
    return false;
  }

  /**
   * Runs as many concurrent calls as the window allows. Resolves when all have begun or been
   * answered.
   */
  async #callAll(): Promise<void> {
    const { calls, window, end, era, initializesAgainAfter } = this.planned;
    const open = new Set<Promise<unknown>>();
    for (const [index, call] of calls.entries()) {
      if (this.#options.signal.aborted) return;
      if (call.pause > 0) await delay(call.pause);
      if (open.size >= window) await Promise.race(open);
      if (index === initializesAgainAfter && era === 'handshake') await this.#initialize();
      const answered = this.#call(call).finally(() => open.delete(answered));
      open.add(answered);
    }
    if (!end.open) await this.#within(ANSWERING, 'calls are answered', Promise.all(open));
  }

  async #call(call: PlannedCall): Promise<Line | undefined> {
    const { key, tool, stream, wrong, cancelAfter } = call;
    const id = this.client.asked.size + 1;
    this.#options.onCall();
    const answer = this.client.request(
      'tools/call',
      {
        name: tool,
        arguments: { key, stream, wrong, ...(tool === 'add' && { region: `r ${key}` }) },
        _meta: {
          ...(this.planned.era === 'stateless' && META),
          ...(tool === 'slow' && { progressToken: id }),
          traceparent: traceparentOf(key),
        },
      },
      key,
    );
    if (cancelAfter === undefined) return answer;
    const asked = this.client.asked.get(id);
    const timer = setTimeout(() => asked && this.client.cancel(asked), cancelAfter);
    return answer.finally(() => clearTimeout(timer));
  }

  async #end(): Promise<void> {
    const { end } = this.planned;
    const { onWrong, signal } = this.#options;
    const started = performance.now();
    this.client.end(end.how);
    const late = setTimeout(() => {
      onWrong('a proxy ends', `pid ${this.client.pid} after ${end.how}`);
      this.client.end('sigkill');
    }, ENDING);
    const { code } = await this.client.exited;
    clearTimeout(late);
    this.endMs = performance.now() - started;
    if (end.how !== 'sigkill' && code !== 0 && !signal.aborted) {
      const words = `pid ${this.client.pid} ended with ${code} ${Math.round(this.endMs)} ms after ${end.how}`;
      onWrong('a proxy ends in order', `${words}: ${this.client.stderr}`);
    }
  }

  async #within(milliseconds: number, rule: string, work: Promise<unknown>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.#options.onWrong(rule, `not within ${milliseconds} ms, pid ${this.client.pid}`);
        resolve();
      }, milliseconds);
    });
    await Promise.race([work, late, this.client.exited]);
    clearTimeout(timer);
  }
}

/** The trace of a call or of a life's handshakes, which identifies their requests in the logs. */
function traceparentOf(key: string): string {
  return `00-${traceOf(key)}-00f067aa0ba902b7-01`;
}

export function traceOf(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 32);
}
