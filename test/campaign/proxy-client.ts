import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** A message on one line. */
export interface Line {
  readonly jsonrpc?: unknown;
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: {
    readonly message?: string;
    readonly progressToken?: unknown;
    readonly progress?: number;
  };
  readonly result?: { readonly content?: readonly { readonly text?: string }[] };
  readonly error?: {
    readonly code?: number;
    readonly message?: string;
    readonly data?: {
      readonly outcome?: unknown;
      readonly reason?: unknown;
      readonly status?: unknown;
      readonly name?: unknown;
    };
  };
}

/** A request of the client, and its answers. */
export interface Asked {
  readonly id: number;
  readonly method: string;
  /** The key of a tool call. */
  readonly key: string | undefined;
  readonly answers: Line[];
  cancelled: boolean;
  /** Milliseconds from the request to its first answer. */
  milliseconds: number;
  readonly askedAt: number;
  /** The last reported progress. Recorded only for calls with a token. */
  progress: number;
}

/** Called with each protocol violation on the proxy's stdout, as text. */
type OnWrong = (rule: string, words: string, key?: string) => void;

/** Runs `dist/proxy.js` like a client, and records all messages between the two. */
export class ProxyClient {
  readonly asked = new Map<number, Asked>();
  /** The number of server requests, by the key of the call. */
  readonly questions = new Map<string, number>();
  stderr = '';
  readonly exited: Promise<{ readonly code: number | null }>;
  readonly #child: ChildProcess;
  readonly #replyTo: (key: string) => object | undefined;
  readonly #onWrong: OnWrong;
  readonly #waiting = new Map<number, () => void>();
  #rest = '';
  #hasExited = false;

  /**
   * @param replyTo Returns the client's answer to a server request of a call, or undefined for
   *   silence.
   */
  constructor(
    program: string,
    env: Readonly<Record<string, string>>,
    replyTo: (key: string) => object | undefined,
    onWrong: OnWrong,
  ) {
    this.#replyTo = replyTo;
    this.#onWrong = onWrong;
    const { PATH = '', TMPDIR = '/tmp', SystemRoot = '' } = process.env;
    this.#child = spawn(process.execPath, [program], {
      env: { PATH, TMPDIR, SystemRoot, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-20_000);
    });
    this.#child.stdin?.on('error', () => undefined);
    this.exited = once(this.#child, 'close').then(([code]) => {
      this.#hasExited = true;
      for (const settle of this.#waiting.values()) settle();
      return { code };
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves with the answer, or with undefined once there can be none. */
  async request(method: string, params: object, key?: string): Promise<Line | undefined> {
    const id = this.asked.size + 1;
    const asked: Asked = {
      id,
      method,
      key,
      answers: [],
      cancelled: false,
      milliseconds: 0,
      askedAt: performance.now(),
      progress: Number.NEGATIVE_INFINITY,
    };
    this.asked.set(id, asked);
    const answered = new Promise<void>((resolve) => this.#waiting.set(id, resolve));
    this.#send({ id, method, params });
    if (!this.#hasExited) await answered;
    return asked.answers[0];
  }

  notify(method: string, params: object = {}): void {
    this.#send({ method, params });
  }

  /** Cancels a request, whose answer is not awaited any more. */
  cancel(asked: Asked): void {
    if (asked.answers.length > 0 || asked.cancelled) return;
    asked.cancelled = true;
    this.notify('notifications/cancelled', { requestId: asked.id, reason: 'changed its mind' });
    this.#settle(asked.id);
  }

  end(how: 'eof' | 'sigterm' | 'sigkill'): void {
    if (how === 'eof') this.#child.stdin?.end();
    else this.#child.kill(how === 'sigterm' ? 'SIGTERM' : 'SIGKILL');
  }

  #send(message: object): void {
    this.#child.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#take(line);
  }

  #take(text: string): void {
    const line = messageIn(text);
    const asked = this.asked.get(Number(line?.id));
    if (!line) {
      this.#onWrong('stdout is JSON-RPC', text.slice(0, 300));
    } else if (line.method !== undefined) {
      this.#hear(line);
    } else if (asked) {
      if (asked.answers.length === 0) asked.milliseconds = performance.now() - asked.askedAt;
      asked.answers.push(line);
      this.#settle(asked.id);
    } else {
      this.#onWrong('answers belong to requests', text.slice(0, 300));
    }
  }

  #hear(line: Line): void {
    if (line.id !== undefined) this.#answer(line);
    else if (line.method === 'notifications/progress') this.#heedProgress(line);
  }

  #heedProgress({ params }: Line): void {
    const { progressToken, progress = Number.NaN } = params ?? {};
    const asked = this.asked.get(Number(progressToken));
    if (!asked) {
      this.#onWrong('progress belongs to requests', String(progressToken));
      return;
    }
    if (!(progress > asked.progress)) {
      this.#onWrong('progress increases', `${progress} after ${asked.progress}`, asked.key);
    }
    if (asked.answers.length > 0) {
      this.#onWrong('progress ends with the answer', String(progress), asked.key);
    }
    asked.progress = progress;
  }

  #answer({ id, params }: Line): void {
    const key = String(params?.message);
    this.questions.set(key, (this.questions.get(key) ?? 0) + 1);
    const reply = this.#replyTo(key);
    if (reply) this.#send({ id, ...reply });
  }

  #settle(id: number): void {
    this.#waiting.get(id)?.();
    this.#waiting.delete(id);
  }
}

function messageIn(text: string): Line | undefined {
  try {
    const line: Line = JSON.parse(text);
    return line.jsonrpc === '2.0' ? line : undefined;
  } catch {
    return undefined;
  }
}
