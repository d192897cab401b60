import type { Agent, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { ArmedFault } from '../config/faults.ts';
import type { RuntimeConfig } from '../config/schema.ts';
import type { Switches } from '../config/switches.ts';
import type { Container } from '../containers/container.ts';
import type { Clock } from '../core/clock.ts';
import type { Deliveries } from '../core/history.ts';
import type { PlatformError } from '../http/errors.ts';
import type { Dialect, HttpExchange } from '../http/exchange.ts';
import type { RuntimeSession, SessionTable } from '../sessions/runtime-session.ts';
import {
  answerWithFault,
  createDisturbanceHooks,
  disturb,
  isAnswerFault,
} from './fault-effects.ts';
import { type ForwardAction, forward } from './forward.ts';

// The common part of all invocations: forwarding to the container of a session, headers and rate
// limits.

/** A runtime with its sessions and rate limits. */
export interface ServedRuntime {
  readonly config: RuntimeConfig;
  readonly sessions: SessionTable;
  readonly invocationRate: RateLimit;
  readonly newSessionRate: RateLimit;
}

/** The services that an invocation uses. */
interface InvocationServices {
  readonly clock: Clock;
  readonly deliveries: Deliveries;
  /** Reuses connections to containers. */
  readonly containerAgent: Agent;
}

/** An invocation that was authenticated and authorized, for an existing runtime. */
export interface Invocation {
  readonly platform: InvocationServices;
  readonly runtime: ServedRuntime;
  readonly exchange: HttpExchange;
  readonly dialect: Dialect;
  readonly qualifier: string;
  readonly body: Buffer;
  readonly fault: ArmedFault | undefined;
}

/** The protocol's decision about the response of a container: send it, or send an error. */
export type ResponseDecision = Extract<ForwardAction, { readonly kind: 'send' }> | PlatformError;

interface Service {
  readonly session: RuntimeSession;
  readonly headers: Readonly<Record<string, string | string[]>>;
  judge(answer: IncomingMessage): ResponseDecision;
}

/** Forwards an invocation to the container of a session. Resolves when the response is complete. */
export async function serve(invocation: Invocation, service: Service): Promise<void> {
  const { exchange, dialect, fault } = invocation;
  const { session } = service;
  const boot = await session.acquire();
  if (!boot.ok) {
    exchange.answer(dialect.error(boot.error));
    return;
  }
  exchange.record.pid = boot.container.pid;
  try {
    await forwardToContainer(invocation, service, boot.container);
  } finally {
    session.release();
  }
  await disturb(fault, session, 'after');
}

async function forwardToContainer(
  { platform, runtime, exchange, dialect, body, fault }: Invocation,
  { session, headers, judge }: Service,
  container: Container,
): Promise<void> {
  const { switches, path } = runtime.config;
  const replaced = fault && isAnswerFault(fault) ? fault : undefined;
  if (fault?.kind === 'delay') await sleep(platform, fault.ms);
  const during = createDisturbanceHooks(fault, session, platform.clock);
  let error: PlatformError | undefined;
  const outcome = await forward({
    exchange,
    port: container.port,
    path,
    headers,
    body,
    agent: platform.containerAgent,
    clock: platform.clock,
    synchronousMs: switches.synchronousLimit * 1000,
    streamingMs: switches.streamingLimit * 1000,
    silenceMs: switches.cutSilentStreamsAfter,
    judge: (answer) => {
      // Always call `judge`, because it records the session id, even if the response is discarded.
      const judgement = judge(answer);
      if (replaced) return { kind: 'drop' };
      if (judgement.kind === 'send') return judgement;
      error = judgement;
      return { kind: 'drop' };
    },
    sent: (breakOff) => {
      platform.deliveries.add(exchange.record, session, body);
      during.sent?.(breakOff);
    },
    gate: during.gate,
  });
  if (replaced && outcome === 'dropped') answerWithFault(exchange, replaced, dialect);
  else if (error) exchange.answer(dialect.error(error));
  else if (outcome === 'failed') answerLostCall(exchange, dialect, switches.lostCall);
}

/** Sends the response for a call if its container exited before it responded. */
function answerLostCall(exchange: HttpExchange, dialect: Dialect, how: Switches['lostCall']): void {
  switch (how) {
    case 'container-failed':
      exchange.answer(dialect.error(createContainerError(502)));
      return;
    case 'internal':
      exchange.answer(dialect.error({ kind: 'internal', message: '' }));
      return;
    case 'bad-gateway':
      exchange.answer({
        status: 502,
        headers: { 'Content-Type': 'text/html' },
        body: '<html><head><title>502 Bad Gateway</title></head></html>',
      });
      return;
    case 'reset':
      exchange.reset();
      return;
  }
}

function sleep({ clock }: InvocationServices, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}

/** The error for a response of a container with an error status. */
export function createContainerError(status: number): PlatformError {
  return {
    kind: 'container-failed',
    message: `Received error (${status}) from runtime. Please check your CloudWatch logs for more information.`,
  };
}

/** The header as sent in responses. */
export const RUNTIME_SESSION_HEADER = 'X-Amzn-Bedrock-AgentCore-Runtime-Session-Id';

/** The header as received: Node converts names to lower case. */
export const RUNTIME_SESSION = RUNTIME_SESSION_HEADER.toLowerCase();

export const MCP_SESSION_HEADER = 'Mcp-Session-Id';

export const MCP_SESSION = 'mcp-session-id';

const CUSTOM_PREFIX = 'x-amzn-bedrock-agentcore-runtime-custom-';

const MAX_CUSTOM = 20;

const MAX_CUSTOM_BYTES = 4096;

/** Minimum and maximum lengths. Source: the service model of InvokeAgentRuntime. */
const BOUNDS: Readonly<Record<string, readonly [least: number, most: number]>> = {
  'content-type': [1, 256],
  accept: [1, 256],
  [MCP_SESSION]: [1, 1024],
  'mcp-protocol-version': [1, 1024],
  'mcp-method': [1, 1024],
  'mcp-name': [1, 1024],
  [RUNTIME_SESSION]: [33, 256],
  'x-amzn-bedrock-agentcore-runtime-user-id': [1, 1024],
  'x-amzn-trace-id': [0, 128],
  traceparent: [0, 128],
  tracestate: [0, 512],
  baggage: [0, 8192],
};

/** Headers that every container gets, in addition to those of the runtime's allowlist. */
const FORWARDED = Object.keys(BOUNDS).filter((name) => name !== MCP_SESSION);

/**
 * Returns the message of the platform for an invalid header. `undefined` if all headers are valid.
 */
export function validateHeaders(headers: IncomingHttpHeaders): string | undefined {
  for (const [name, [least, most]] of Object.entries(BOUNDS)) {
    const value = headers[name];
    if (typeof value !== 'string') continue;
    if (value.length < least || value.length > most) {
      return `Value at '${name}' failed to satisfy constraint: Member must have length between ${least} and ${most}, inclusive`;
    }
  }
  const custom = Object.entries(headers).filter(([name]) => name.startsWith(CUSTOM_PREFIX));
  if (custom.length > MAX_CUSTOM) return `More than ${MAX_CUSTOM} custom headers`;
  const tooLong = custom.find(([, value]) => String(value).length > MAX_CUSTOM_BYTES);
  return tooLong
    ? `Custom header '${tooLong[0]}' is longer than ${MAX_CUSTOM_BYTES} bytes`
    : undefined;
}

/** Whether a client accepts both types of MCP responses. A server may respond with either. */
export function acceptsMcp(accept: string | undefined): boolean {
  const types = (accept ?? '').split(',').map((type) => type.split(';')[0]?.trim().toLowerCase());
  if (types.includes('*/*')) return true;
  return (
    (types.includes('application/json') || types.includes('application/*')) &&
    (types.includes('text/event-stream') || types.includes('text/*'))
  );
}

/** Creates the headers for a container, without session ids. */
export function createContainerHeaders(
  headers: IncomingHttpHeaders,
  config: RuntimeConfig,
): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {};
  const allowed = config.requestHeaderAllowlist.map((name) => name.toLowerCase());
  for (const name of [...FORWARDED, ...allowed]) {
    const value = headers[name];
    if (value !== undefined) kept[name] = value;
  }
  for (const name in headers) {
    const param = config.switches.forwardMcpParamHeaders && name.startsWith('mcp-param-');
    const value = headers[name];
    if (value !== undefined && (param || name.startsWith(CUSTOM_PREFIX))) kept[name] = value;
  }
  return kept;
}

/** A rate limit with a fixed window. A window starts with its first request. */
export class RateLimit {
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #clock: Clock;
  #windowStart = Number.NEGATIVE_INFINITY;
  #count = 0;

  /** @param limit Maximum requests in a window. 0 means no limit. */
  constructor(limit: number, windowMs: number, clock: Clock) {
    this.#limit = limit;
    this.#windowMs = windowMs;
    this.#clock = clock;
  }

  /** Counts a request. Returns false if the limit is reached. */
  admit(): boolean {
    if (this.#limit === 0) return true;
    const now = this.#clock.now();
    // If the clock was set back, also start a new window.
    if (now < this.#windowStart || now - this.#windowStart >= this.#windowMs) {
      this.#windowStart = now;
      this.#count = 0;
    }
    this.#count += 1;
    return this.#count <= this.#limit;
  }
}
