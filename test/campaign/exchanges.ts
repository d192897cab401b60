/** Bytes of a response that are stored: an error, or the start of a result. */
const MAX_KEPT_BYTES = 4_096;

const RUNTIME_SESSION = 'x-amzn-bedrock-agentcore-runtime-session-id';

/** One HTTP request as the network carried it, and the response to it. Times: `performance.now()`. */
export class Exchange {
  readonly at = performance.now();
  endedAt: number | undefined;
  trace: string | undefined;
  session: string | undefined;
  method: string | undefined;
  #request = '';
  #response = '';
  #received = 0;
  #tail = '';

  /** Adds bytes that the proxy sent. */
  send(chunk: Buffer): void {
    if (this.#request.length > MAX_KEPT_BYTES) return;
    this.#request += chunk.toString('latin1');
    this.trace = headerOf(this.#request, 'traceparent')?.split('-')[1];
    this.session = headerOf(this.#request, RUNTIME_SESSION);
    this.method = /"method":"([^"]+)"/.exec(this.#request)?.[1];
  }

  /** Adds bytes that the proxy received. */
  receive(chunk: Buffer): void {
    this.#received += chunk.length;
    this.#tail = (this.#tail + chunk.subarray(-5).toString('latin1')).slice(-5);
    if (this.#response.length > MAX_KEPT_BYTES) return;
    this.#response += chunk.toString('latin1');
  }

  get hasResponse(): boolean {
    return this.#received > 0;
  }

  get status(): number | undefined {
    const [, status] = /^HTTP\/1\.1 (\d+)/.exec(this.#response) ?? [];
    return status === undefined ? undefined : Number(status);
  }

  /** True if the proxy received the whole response. */
  get isComplete(): boolean {
    const head = this.#response.indexOf('\r\n\r\n');
    if (head < 0) return false;
    const length = headerOf(this.#response, 'content-length');
    if (length !== undefined) return this.#received >= head + 4 + Number(length);
    return this.status === 204 || this.#tail === '0\r\n\r\n';
  }

  get hasResult(): boolean {
    return this.isComplete && this.#response.includes('"result":');
  }

  /** The error message of the server or the platform, or `undefined` if there is none. */
  get message(): string | undefined {
    const [, message] = /"message":("(?:[^"\\]|\\.)*")/.exec(this.#response) ?? [];
    return message === undefined ? undefined : (JSON.parse(message) as string);
  }

  /** The name of AgentCore's exception. */
  get name(): string | undefined {
    return headerOf(this.#response, 'x-amzn-errortype');
  }

  /** A description for people. */
  toString(): string {
    const { at, endedAt, method = 'a message', status = 'no status', message } = this;
    const end = endedAt === undefined ? 'open' : `${Math.round(endedAt - at)} ms`;
    const how = this.isComplete ? 'complete' : 'incomplete';
    return `${Math.round(at)} ms: ${method}, ${end}, HTTP ${status}, ${how}${message === undefined ? '' : `: ${message}`}`;
  }
}

/** A period in which the network refused connections, or the moment in which it broke some. */
export interface Outage {
  readonly from: number;
  /** `undefined` while it lasts. */
  until: number | undefined;
}

/** All requests on the network, and its outages. */
export class ExchangeLog {
  readonly exchanges: Exchange[] = [];
  readonly outages: Outage[] = [];

  /** The exchanges of one trace, in the order of their requests. */
  of(trace: string): readonly Exchange[] {
    return this.exchanges.filter((context) => context.trace === trace);
  }

  /** The proxy's own requests in these sessions, such as probes. */
  ownRequests(method: string, sessions: ReadonlySet<string | undefined>): readonly Exchange[] {
    return this.exchanges.filter(
      (context) =>
        context.trace === undefined && context.method === method && sessions.has(context.session),
    );
  }
}

function headerOf(text: string, name: string): string | undefined {
  const head = text.split('\r\n\r\n', 1)[0] ?? '';
  const line = head.split('\r\n').find((one) => one.toLowerCase().startsWith(`${name}:`));
  return line?.slice(name.length + 1).trim();
}
