import { randomUUID } from 'node:crypto';
import { createParser } from 'eventsource-parser';
import { type GatewayConfig, getAuthorizerType } from '../config/schema.ts';
import type { Container } from '../containers/container.ts';
import type { Boot } from '../containers/container-fleet.ts';
import type { Clock } from '../core/clock.ts';
import type { Deliveries, RequestRecord } from '../core/history.ts';
import type { PlatformError } from '../http/errors.ts';
import { MCP_SESSION, RUNTIME_SESSION, type ServedRuntime } from '../invocations/invocation.ts';
import type { RuntimeSession } from '../sessions/runtime-session.ts';

// The targets of gateways: the gateway as an MCP client of each target, and sessions of a gateway.

/** A target and its runtime. */
interface ServedTarget {
  readonly name: string;
  readonly runtime: ServedRuntime;
}

/** A gateway with its targets. */
export interface ServedGateway {
  readonly config: GatewayConfig;
  readonly targets: readonly ServedTarget[];
}

/** MCP versions that a gateway supports, oldest first. */
export const GATEWAY_VERSIONS: readonly string[] = ['2025-03-26', '2025-06-18', '2025-11-25'];

/** The URL of a gateway's MCP endpoint. On AWS, each gateway has its own host. */
export function getGatewayUrl(baseUrl: string, { gatewayId }: GatewayConfig): string {
  return `${baseUrl}/gateways/${gatewayId}/mcp`;
}

/** The facts about a gateway for tests and the program. */
export interface LocalGatewayInfo {
  readonly name: string;
  readonly arn: string;
  readonly gatewayId: string;
  readonly authorizer: string;
  /** The MCP endpoint. */
  readonly url: string;
}

export function toGatewayInfo(baseUrl: string, config: GatewayConfig): LocalGatewayInfo {
  const { name, arn, gatewayId } = config;
  const authorizer = getAuthorizerType(config);
  return { name, arn, gatewayId, authorizer, url: getGatewayUrl(baseUrl, config) };
}

const QUALIFIER = 'DEFAULT';

const PROTOCOL_VERSION = '2025-06-18';

/** The response of a target, or an error of the platform. */
type TargetOutcome =
  | { readonly ok: true; readonly answer: TargetAnswer }
  | { readonly ok: false; readonly error: PlatformError };

/**
 * The gateway as an MCP client of one target: a runtime session, and the handshake with its server.
 */
class TargetLink {
  readonly #target: ServedTarget;
  #session: RuntimeSession | undefined;
  /** The container that completed the handshake. A new container needs a new handshake. */
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
   * Sends a request and returns the response. Calls `sent` with the session and the body when
   * sending starts.
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

  /** Stops the runtime session when all requests in progress have ended. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#open);
    await this.#session?.stop('stop-runtime-session');
  }

  /** Connects one request at a time, because a second one to a starting session would conflict. */
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
    // A stateful server issues the id.
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

/** The JSON-RPC result or error from a target. */
type TargetAnswer = { readonly result: unknown } | { readonly error: unknown };

/**
 * Reads the response to request `id`, from a JSON body or from a stream with other messages.
 *
 * @throws {Error} if there is no response with this id.
 */
async function readTargetAnswer(response: Response, id: number): Promise<TargetAnswer> {
  const found = isStream(response)
    ? await fromStream(response, id)
    : parseTargetResponse(await response.text(), id);
  if (found) return found;
  throw new Error(`the target answered with status ${response.status} and no JSON-RPC answer`);
}

function isStream({ headers }: Response): boolean {
  return headers.get('content-type')?.startsWith('text/event-stream') ?? false;
}

async function fromStream({ body }: Response, id: number): Promise<TargetAnswer | undefined> {
  let found: TargetAnswer | undefined;
  const parser = createParser({
    onEvent: ({ data }) => {
      found ??= parseTargetResponse(data, id);
    },
  });
  const decoder = new TextDecoder();
  // The end of the loop closes the stream. No client would receive later messages.
  for await (const chunk of body ?? []) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    if (found) break;
  }
  return found;
}

function parseTargetResponse(text: string, id: number): TargetAnswer | undefined {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof message !== 'object' || message === null) return undefined;
  // The id is `null` if the server failed before it read the request.
  if (!('id' in message) || (message.id !== id && message.id !== null)) return undefined;
  if ('result' in message) return { result: message.result };
  return 'error' in message ? { error: message.error } : undefined;
}

/** Separator of target name and tool name. */
const SEPARATOR = '___';

/** Maximum number of pages to list for each target. */
const MAX_PAGES = 100;

/** The result or error of a JSON-RPC response, or a platform error. */
export type ToolsAnswer =
  | { readonly result: unknown }
  | { readonly error: unknown }
  | { readonly failure: PlatformError };

/** Lists the tools of all targets, with the target name as prefix. */
export async function listTools(links: TargetLinks): Promise<ToolsAnswer> {
  const tools: unknown[] = [];
  for (const [target, link] of links) {
    /** Cursors so far. An empty or repeated cursor ends the list, to prevent an endless loop. */
    const seen = new Set<string | undefined>(['']);
    let cursor: string | undefined;
    while (!seen.has(cursor) && seen.size <= MAX_PAGES) {
      seen.add(cursor);
      const outcome = await link.request('tools/list', cursor === undefined ? {} : { cursor });
      if (!outcome.ok) return { failure: outcome.error };
      const { answer } = outcome;
      if ('error' in answer) return answer;
      tools.push(...getTools(answer.result).map((tool) => prefixToolName(tool, target)));
      cursor = getTextField(answer.result, 'nextCursor');
    }
  }
  return { result: { tools } };
}

/** Calls the tool `TARGET___TOOL`. */
export async function callTool(
  links: TargetLinks,
  params: unknown,
  record: RequestRecord,
  deliveries: Deliveries,
): Promise<ToolsAnswer> {
  const name = getTextField(params, 'name') ?? '';
  const at = name.indexOf(SEPARATOR);
  const link = at < 0 ? undefined : links.get(name.slice(0, at));
  if (!link) return { error: { code: -32602, message: `Unknown tool: ${name}` } };
  const own = { ...(params as object), name: name.slice(at + SEPARATOR.length) };
  const outcome = await link.request('tools/call', own, (session, body) =>
    deliveries.add(record, session, body),
  );
  return outcome.ok ? outcome.answer : { failure: outcome.error };
}

function getTools(result: unknown): readonly object[] {
  const tools = typeof result === 'object' && result !== null && 'tools' in result && result.tools;
  return Array.isArray(tools) ? tools : [];
}

function prefixToolName(tool: object, target: string): object {
  return { ...tool, name: `${target}${SEPARATOR}${getTextField(tool, 'name') ?? ''}` };
}

function getTextField(value: unknown, name: string): string | undefined {
  const field = (value as Readonly<Record<string, unknown>> | null | undefined)?.[name];
  return typeof field === 'string' ? field : undefined;
}

const MAX_SESSIONS = 1000;

/** One link for each target of a gateway, by target name. */
export type TargetLinks = ReadonlyMap<string, TargetLink>;

interface GatewaySession {
  /** The caller of the session. Other callers cannot use it. */
  readonly identity: string;
  readonly links: TargetLinks;
  readonly cancelExpiry: () => void;
}

/** The sessions of a gateway. If sessions are disabled, all requests share one set of links. */
export class GatewaySessions {
  readonly #gateway: ServedGateway;
  readonly #clock: Clock;
  readonly #sessions = new Map<string, GatewaySession>();
  readonly #shared: TargetLinks;

  constructor(gateway: ServedGateway, clock: Clock) {
    this.#gateway = gateway;
    this.#clock = clock;
    this.#shared = this.#newLinks();
  }

  get shared(): TargetLinks {
    return this.#shared;
  }

  /**
   * Starts a session and returns its id. The session expires after `sessionTimeout`, regardless of
   * activity.
   */
  open(identity: string): string {
    const id = randomUUID();
    const cancelExpiry = this.#clock.after(this.#gateway.config.sessionTimeout * 1000, () =>
      this.end(id),
    );
    this.#sessions.set(id, { identity, links: this.#newLinks(), cancelExpiry });
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size > MAX_SESSIONS && oldest !== undefined) this.end(oldest);
    return id;
  }

  /**
   * Returns the links of a session. `undefined` if the session does not exist, has expired, or
   * belongs to another caller.
   */
  links(id: string, identity: string): TargetLinks | undefined {
    const session = this.#sessions.get(id);
    return session?.identity === identity ? session.links : undefined;
  }

  end(id: string): void {
    const session = this.#sessions.get(id);
    if (!session) return;
    this.#sessions.delete(id);
    session.cancelExpiry();
    for (const link of session.links.values()) void link.close();
  }

  #newLinks(): TargetLinks {
    return new Map(this.#gateway.targets.map((target) => [target.name, new TargetLink(target)]));
  }
}
