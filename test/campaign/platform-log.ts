import type { LocalEvent, SessionRecord } from '../../src/local/core/events.ts';
import type { RequestRecord } from '../../src/local/core/history.ts';
import { traceOf } from './life.ts';

const RUNTIME_SESSION = 'x-amzn-bedrock-agentcore-runtime-session-id';
/** Maximum number of stored history lines of a session. */
const MOST_LINES = 200;

/** The local AgentCore's records of each call's requests and the faults that affected them. */
export class PlatformLog {
  /** The number of faults that were applied, by kind. */
  readonly faults = new Map<string, number>();
  /** The process ids of containers. */
  readonly pids = new Set<number>();
  requests = 0;
  readonly #byTrace = new Map<string, string[]>();
  readonly #bySession = new Map<string, string[]>();
  readonly #began = Date.now();

  readonly listener = (event: LocalEvent): void => {
    if (event.type === 'container-started' && event.pid !== undefined) this.pids.add(event.pid);
    if (event.type === 'fault') {
      const { fault = '', operation } = event.request;
      this.count(operation === 'invoke' ? fault : `${operation}: ${fault}`);
    }
    if (event.type === 'request') this.#add(event.request);
    if (event.type === 'session' && event.change !== 'invoked' && event.change !== 'answered') {
      this.#addChange(event.change, event.session);
    }
  };

  count(kind: string): void {
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1);
  }

  /** The requests of a call as text, in the order of their end. */
  of(key: string): readonly string[] {
    return this.#byTrace.get(traceOf(key)) ?? [];
  }

  /** The events of the sessions of a runtime session id, as text. */
  ofSession(id: string): readonly string[] {
    return this.#bySession.get(id) ?? [];
  }

  #add(request: RequestRecord): void {
    this.requests += 1;
    const words = this.#words(request);
    const { traceparent, [RUNTIME_SESSION]: session } = request.headers;
    const trace = traceparent?.split('-')[1];
    if (trace !== undefined) note(this.#byTrace, trace, words);
    const what = request.rpcMethod ?? request.operation;
    if (session !== undefined) note(this.#bySession, session, `${what} at ${words}`);
  }

  #addChange(change: string, { runtimeSessionId, mcpSessionId, why, pid }: SessionRecord): void {
    const words = `${Date.now() - this.#began} ms: ${change} (${why ?? 'runs'}, container ${pid}, Mcp-Session-Id ${mcpSessionId})`;
    note(this.#bySession, runtimeSessionId, words);
  }

  #words({ at, status, outcome, fault, pid, headers, durationMs }: RequestRecord): string {
    return [
      `${at - this.#began} ms: HTTP ${status ?? 'none'}, ${outcome} after ${durationMs} ms`,
      ...(fault === undefined ? [] : [`fault ${fault}`]),
      ...(pid === undefined ? [] : [`container ${pid}`]),
      `Mcp-Session-Id ${headers['mcp-session-id'] ?? 'none'}`,
    ].join(', ');
  }
}

function note(lines: Map<string, string[]>, id: string, words: string): void {
  const known = lines.get(id) ?? [];
  lines.set(id, known);
  known.push(words);
  if (known.length > MOST_LINES) known.shift();
}
