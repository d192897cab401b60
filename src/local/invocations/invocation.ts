import type { IncomingMessage } from 'node:http';
import type { Dialect } from '../answers/dialect.ts';
import type { HttpExchange } from '../answers/http-exchange.ts';
import type { PlatformError } from '../answers/platform-error.ts';
import type { Container } from '../containers/container.ts';
import type { ArmedFault } from '../faults.ts';
import type { Platform, ServedRuntime } from '../platform.ts';
import type { RuntimeSession } from '../sessions/runtime-session.ts';
import { answerWithFault, isAnswerFault } from './fault-answers.ts';
import { forward, type Verdict } from './forward.ts';

/** An invocation that has been let in: signed, authorized, of a runtime that there is. */
export interface Invocation {
  readonly platform: Platform;
  readonly runtime: ServedRuntime;
  readonly exchange: HttpExchange;
  readonly dialect: Dialect;
  readonly qualifier: string;
  readonly body: Buffer;
  readonly fault: ArmedFault | undefined;
}

/** What a protocol makes of its container's answer. */
export type Judgement = Extract<Verdict, { readonly kind: 'send' }> | PlatformError;

export interface Service {
  readonly session: RuntimeSession;
  readonly headers: Readonly<Record<string, string | string[]>>;
  judge(answer: IncomingMessage): Judgement;
}

/** Has a session's container answer an invocation. Resolves when the client has the answer. */
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
    await passOn(invocation, service, boot.container);
  } finally {
    session.release();
  }
  if (fault?.kind === 'restart-container' && fault.when === 'after') await session.restart();
  if (fault?.kind === 'kill-microvm' && fault.when === 'after')
    await session.stop('microvm-killed');
}

async function passOn(
  { platform, runtime, exchange, dialect, body, fault }: Invocation,
  service: Service,
  container: Container,
): Promise<void> {
  const { switches, path } = runtime.config;
  const replaced = fault && isAnswerFault(fault) ? fault : undefined;
  if (fault?.kind === 'delay') await pause(platform, fault.ms);
  let error: PlatformError | undefined;
  const outcome = await forward({
    exchange,
    port: container.port,
    path,
    headers: service.headers,
    body,
    agent: platform.containerAgent,
    clock: platform.clock,
    synchronousMs: switches.synchronousLimit * 1000,
    streamingMs: switches.streamingLimit * 1000,
    silenceMs: switches.cutSilentStreamsAfter,
    judge: (answer) => {
      if (replaced) return { kind: 'drop' };
      const judgement = service.judge(answer);
      if (judgement.kind === 'send') return judgement;
      error = judgement;
      return { kind: 'drop' };
    },
    sent: killsDuring(fault, service.session),
    gate:
      fault?.kind === 'cut' || fault?.kind === 'stall'
        ? { ...fault, ending: fault.kind }
        : undefined,
  });
  if (replaced && outcome === 'dropped') answerWithFault(exchange, replaced, dialect);
  else if (error) exchange.answer(dialect.error(error));
  else if (outcome === 'failed') {
    exchange.answer(dialect.error({ kind: 'container-failed', message: CONTAINER_FAILED }));
  }
}

const CONTAINER_FAILED =
  'Received error (502) from runtime. Please check your CloudWatch logs for more information.';

function killsDuring(
  fault: ArmedFault | undefined,
  session: RuntimeSession,
): (() => void) | undefined {
  if (fault?.kind === 'restart-container' && fault.when === 'during') {
    return () => void session.restart();
  }
  if (fault?.kind === 'kill-microvm' && fault.when === 'during') {
    return () => void session.stop('microvm-killed');
  }
  return undefined;
}

function pause({ clock }: Platform, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}

/** The fault of a container that answered with an error status. */
export function containerError(status: number): PlatformError {
  return {
    kind: 'container-failed',
    message: `Received error (${status}) from runtime. Please check your CloudWatch logs for more information.`,
  };
}

/** Ends or replaces a session's microVM before a request reaches it, where a fault says so. */
export async function disturb(
  fault: ArmedFault | undefined,
  session: RuntimeSession,
): Promise<void> {
  if (fault?.kind === 'restart-container' && fault.when === 'before') await session.restart();
  if (fault?.kind === 'kill-microvm' && fault.when === 'before') {
    await session.stop('microvm-killed');
  }
}
