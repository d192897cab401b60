import { randomUUID } from 'node:crypto';
import type { PlatformError } from '../answers/platform-error.ts';
import type { Container } from '../containers/container.ts';
import type { Boot } from '../containers/container-fleet.ts';
import { MCP_SESSION, RUNTIME_SESSION } from '../invocations/request-headers.ts';
import type { RuntimeSession } from '../sessions/runtime-session.ts';
import type { ServedTarget } from './gateway.ts';
import { readTargetAnswer, type TargetAnswer } from './target-answer.ts';

const QUALIFIER = 'DEFAULT';

const PROTOCOL_VERSION = '2025-06-18';

/** The response of a target, or an error. */
type TargetOutcome =
  | { readonly ok: true; readonly answer: TargetAnswer }
  | { readonly ok: false; readonly error: PlatformError };

/** The gateway as MCP client of one target: a runtime session and an initialized server. */
export class TargetLink {
  readonly #target: ServedTarget;
  #session: RuntimeSession | undefined;
  /** The container that completed the MCP handshake. A replaced container needs a new one. */
  #greeted: Container | undefined;
  #mcpSessionId: string | undefined;
  #connecting: Promise<unknown> = Promise.resolve();
  #lastId = 0;
  /** Requests in progress. */
  readonly #open = new Set<Promise<TargetOutcome>>();

  constructor(target: ServedTarget) {
    this.#target = target;
  }

  /**
   * Sends a request. `sent` is called with the session and the request body when sending starts.
   */
  async request(
    method: string,
    params: unknown,
    sent?: (session: RuntimeSession, body: Buffer) => void,
  ): Promise<TargetOutcome> {
    const outcome = this.#request(method, params, sent);
    this.#open.add(outcome);
    try {
      return await outcome;
    } finally {
      this.#open.delete(outcome);
    }
  }

  async #request(
    method: string,
    params: unknown,
    sent?: (session: RuntimeSession, body: Buffer) => void,
  ): Promise<TargetOutcome> {
    const boot = await this.#connected();
    if (!boot.ok) return boot;
    const session = this.#opened();
    try {
      this.#lastId += 1;
      const id = this.#lastId;
      const body = JSON.stringify({ jsonrpc: '2.0', id, method, params });
      const posted = this.#post(boot.container, body);
      sent?.(session, Buffer.from(body));
      return { ok: true, answer: await readTargetAnswer(await posted, id) };
    } catch {
      return createInternalError();
    } finally {
      session.release();
    }
  }

  /** Stops the runtime session after all requests in progress have ended. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#open);
    await this.#session?.stop('stop-runtime-session');
  }

  /** Connects sequentially, because a second request to a starting session would conflict. */
  #connected(): Promise<Boot> {
    const connected = this.#connecting.then(() => this.#connect());
    this.#connecting = connected;
    return connected;
  }

  async #connect(): Promise<Boot> {
    const session = this.#opened();
    const boot = await session.acquire();
    if (!boot.ok || boot.container === this.#greeted) return boot;
    try {
      await this.#greet(session, boot.container);
      return boot;
    } catch {
      session.release();
      return createInternalError();
    }
  }

  #opened(): RuntimeSession {
    if (this.#session) return this.#session;
    const { sessions, config } = this.#target.runtime;
    // A stateful server issues the id itself.
    const mcpSessionId = config.sessions === 'stateless' ? randomUUID() : undefined;
    this.#session = sessions.open({
      qualifier: QUALIFIER,
      routingId: mcpSessionId,
      runtimeSessionId: undefined,
      mcpSessionId,
    });
    return this.#session;
  }

  async #greet(session: RuntimeSession, container: Container): Promise<void> {
    const stateful = this.#target.runtime.config.sessions === 'stateful';
    this.#mcpSessionId = stateful ? undefined : session.mcpSessionId;
    this.#lastId += 1;
    const id = this.#lastId;
    const params = {
      protocolVersion: PROTOCOL_VERSION,
      capabilities: {},
      clientInfo: { name: 'agentcore-gateway', version: '1.0.0' },
    };
    const initialize = JSON.stringify({ jsonrpc: '2.0', id, method: 'initialize', params });
    const response = await this.#post(container, initialize);
    const answer = await readTargetAnswer(response, id);
    if ('error' in answer) throw new Error('the target refused to initialize');
    const issued = response.headers.get(MCP_SESSION);
    if (stateful && issued !== null) {
      this.#mcpSessionId = issued;
      session.mcpSessionId = issued;
    }
    const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' };
    await (await this.#post(container, JSON.stringify(initialized))).body?.cancel();
    this.#greeted = container;
  }

  #post({ port }: Container, body: string): Promise<Response> {
    const { path, switches } = this.#target.runtime.config;
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': PROTOCOL_VERSION,
    };
    if (this.#session) headers[RUNTIME_SESSION] = this.#session.runtimeSessionId;
    if (this.#mcpSessionId !== undefined) headers[MCP_SESSION] = this.#mcpSessionId;
    return fetch(`http://127.0.0.1:${port}${path}`, {
      method: 'POST',
      headers,
      body,
      signal: AbortSignal.timeout(switches.synchronousLimit * 1000),
    });
  }
}

function createInternalError(): { readonly ok: false; readonly error: PlatformError } {
  return { ok: false, error: { kind: 'internal', message: '' } };
}
