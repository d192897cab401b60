import type { Agent, IncomingMessage } from 'node:http';
import type { Dialect } from '../answers/dialect.ts';
import type { HttpExchange } from '../answers/http-exchange.ts';
import type { PlatformError } from '../answers/platform-error.ts';
import type { Clock } from '../clock.ts';
import type { Container } from '../containers/container.ts';
import type { Deliveries } from '../deliveries.ts';
import type { ArmedFault } from '../fault.ts';
import type { ServedRuntime } from '../platform.ts';
import type { RuntimeSession } from '../sessions/runtime-session.ts';
import type { Switches } from '../switches.ts';
import { createDisturbanceHooks, disturb } from './disturbance.ts';
import { answerWithFault, isAnswerFault } from './fault-answers.ts';
import { type ForwardAction, forward } from './forward.ts';

/** The shared services that an invocation uses. */
interface InvocationServices {
  readonly clock: Clock;
  readonly deliveries: Deliveries;
  /** Reuses connections to containers. */
  readonly containerAgent: Agent;
}

/** An admitted invocation: authenticated, authorized, and of an existing runtime. */
export interface Invocation {
  readonly platform: InvocationServices;
  readonly runtime: ServedRuntime;
  readonly exchange: HttpExchange;
  readonly dialect: Dialect;
  readonly qualifier: string;
  readonly body: Buffer;
  readonly fault: ArmedFault | undefined;
}

/** The protocol's decision about a container's response. */
export type Judgement = Extract<ForwardAction, { readonly kind: 'send' }> | PlatformError;

interface Service {
  readonly session: RuntimeSession;
  readonly headers: Readonly<Record<string, string | string[]>>;
  judge(answer: IncomingMessage): Judgement;
}

/**
 * Forwards an invocation to the container of a session. Resolves when the client has the response.
 */
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
      // Also call it for a discarded response, because it records the session id.
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

/** Responds to a call if its container ended before it responded. */
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

/** The error for a container response with an error status. */
export function createContainerError(status: number): PlatformError {
  return {
    kind: 'container-failed',
    message: `Received error (${status}) from runtime. Please check your CloudWatch logs for more information.`,
  };
}
