import { randomUUID } from 'node:crypto';
import type { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { RuntimeArn } from '../aws/arn.ts';
import {
  type Authorizer,
  canRenewalHelp,
  createBearerAuthorizer,
  createIamAuthorizer,
} from '../aws/authorization/authorizer.ts';
import type { KeptToken } from '../aws/authorization/kept-token.ts';
import type { SigningClock } from '../aws/aws-clock.ts';
import { ConnectionThrottle } from '../aws/connection-pace.ts';
import type { CredentialProvider } from '../aws/credentials/credentials.ts';
import { raceAbort } from '../aws/discovery/bounded.ts';
import { readErrorReply } from '../aws/error-reply.ts';
import { post, type RequestTarget, toRequestTarget } from '../aws/post.ts';
import { getRuntimeStopUrl } from '../aws/runtime-url.ts';
import { AgentCoreError, getErrorMessage } from '../error.ts';

/** Timeout of one stop with all attempts, in milliseconds. */
export const STOP_TIMEOUT_MS = 20_000;

/** Timeout of one attempt after it is signed, in milliseconds. */
const ATTEMPT_TIMEOUT_MS = 5_000;

/** Milliseconds between two attempts. */
const BACKOFF = { initialMs: 100, maxMs: 2_000, maxAfterConflictMs: 500 };

/** Attempts without an answer, or with a server error. Conflicts and throttling have no limit. */
const MAX_UNANSWERED_ATTEMPTS = 3;

/** The response's body has no content that matters. */
const MAX_BODY_BYTES = 64 * 1024;

const SESSION_HEADER = 'x-amzn-bedrock-agentcore-runtime-session-id';

interface StopTargetOptions {
  readonly runtime: RuntimeArn;
  readonly qualifier: string | undefined;
  /** Base URL of the data plane. */
  readonly endpoint: URL;
  readonly credentials: CredentialProvider;
  readonly clock: SigningClock;
  /** The invocations' token, if the runtime takes bearer tokens. */
  readonly token?: KeptToken | undefined;
  /** The invocations' agent, whose idle connections are reused. */
  readonly agent: Agent;
}

/** The endpoint of a runtime, with the authorization to stop its sessions. */
export interface StopTarget {
  readonly target: RequestTarget;
  readonly authorizer: Authorizer;
  /**
   * Used if AgentCore rejects the bearer token. AWS does not document whether a token can stop a
   * session, or only IAM credentials.
   */
  readonly fallback: Authorizer | undefined;
  readonly agent: Agent;
  readonly pace: ConnectionThrottle;
}

/** The outcome of a stop. `gone`: AgentCore knows no session by any of the ids. */
export type StopResult =
  | { readonly how: 'stopped' | 'gone' }
  | { readonly how: 'failed'; readonly reason: string; readonly cause?: unknown };

export function createStopTarget(options: StopTargetOptions): StopTarget {
  const { runtime, qualifier, endpoint, credentials, clock, token, agent } = options;
  // Files that change during the shutdown must not keep valid credentials from stopping a session.
  const cached = Object.assign(() => credentials({ preferCached: true }), {
    renew: credentials.renew,
  });
  const iam = createIamAuthorizer(cached, runtime.region, clock);
  return {
    target: toRequestTarget(getRuntimeStopUrl(endpoint, runtime, qualifier)),
    authorizer: token ? createBearerAuthorizer(token) : iam,
    fallback: token && iam,
    agent,
    pace: new ConnectionThrottle(),
  };
}

/**
 * Stops a runtime session, so that its microVM is no longer billed. This is the only code that
 * stops one. It calls StopRuntimeSession without the SDK, whose client takes too long to load when
 * a program ends. Throttling, conflicts and network failures are retried. Never rejects.
 *
 * @param ids The ids by which AgentCore may know the session, the likelier one first.
 */
export async function stopSession(
  target: StopTarget,
  ids: readonly string[],
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<StopResult> {
  const deadline = AbortSignal.timeout(timeoutMs);
  const bounded = AbortSignal.any([signal, deadline]);
  try {
    for (const id of ids) {
      if (await stopById(target, id, bounded)) return { how: 'stopped' };
    }
    return { how: 'gone' };
  } catch (cause) {
    const isLate = deadline.aborted && [cause, (cause as Error).cause].includes(deadline.reason);
    const reason = isLate ? `no answer within ${timeoutMs / 1000} s` : getErrorMessage(cause);
    return { how: 'failed', reason, cause };
  }
}

/** @returns false if AgentCore knows no session by this id. */
async function stopById(target: StopTarget, id: string, signal: AbortSignal): Promise<boolean> {
  const { authorizer, fallback } = target;
  try {
    return await stopAs(authorizer, target, id, signal);
  } catch (ofToken) {
    if (!fallback || !isAuthFailure(ofToken)) throw ofToken;
    return stopAs(fallback, target, id, signal).catch((ofCredentials) => {
      throw createStopRejectedError(ofToken, ofCredentials);
    });
  }
}

async function stopAs(
  authorizer: Authorizer,
  target: StopTarget,
  id: string,
  signal: AbortSignal,
): Promise<boolean> {
  // AgentCore treats requests with the same token as one.
  const body = Buffer.from(JSON.stringify({ clientToken: randomUUID() }));
  let isRenewed = false;
  let unanswered = 0;
  for (let pause = BACKOFF.initialMs; ; pause = Math.min(2 * pause, BACKOFF.maxMs)) {
    const began = performance.now();
    try {
      return await send(authorizer, target, { id, body }, signal);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      if (!isRenewed && canRenewalHelp(authorizer.method, getRejectionFacts(thrown))) {
        isRenewed = await raceAbort(authorizer.renew(began), signal);
        if (isRenewed) continue;
      }
      if (
        !isTransient(thrown) &&
        !(isUnanswered(thrown) && ++unanswered < MAX_UNANSWERED_ATTEMPTS)
      ) {
        throw thrown;
      }
      const { retryAfter = 0, status } = getRejectionFacts(thrown);
      // A session starts within seconds, and a program that ends has few of them left.
      if (status === 409) pause = Math.min(pause, BACKOFF.maxAfterConflictMs);
      const wait = Math.max(pause * (0.5 + Math.random() / 2), retryAfter * 1000);
      await delay(wait, undefined, { signal }).catch(() => {
        throw thrown;
      });
    }
  }
}

/** @throws {AgentCoreError} with {@link RejectionFacts} if AgentCore rejects the request. */
async function send(
  authorizer: Authorizer,
  { target, agent, pace }: StopTarget,
  { id, body }: { readonly id: string; readonly body: Buffer },
  signal: AbortSignal,
): Promise<boolean> {
  signal.throwIfAborted();
  const headers = await raceAbort(
    authorizer.sign({
      target,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        [SESSION_HEADER]: id,
      },
      body,
    }),
    signal,
  );
  const timeout = AbortSignal.timeout(ATTEMPT_TIMEOUT_MS);
  let isSent = false;
  const reply = await post({
    target,
    headers,
    body,
    agent,
    pace,
    // The timeout signal comes first. Its error does not name the settings of calls.
    timeouts: { connect: 2 * ATTEMPT_TIMEOUT_MS, read: 2 * ATTEMPT_TIMEOUT_MS },
    signal: AbortSignal.any([signal, timeout]),
    urgent: true,
    onSend: () => {
      isSent = true;
    },
  }).catch((thrown) => {
    if (isSent && thrown === signal.reason) {
      const sentence = `${getErrorMessage(thrown)} before AgentCore answered; the session may be stopped`;
      throw new AgentCoreError('timeout', sentence, { cause: thrown });
    }
    if (thrown !== timeout.reason) throw thrown;
    const sentence = `no answer within ${ATTEMPT_TIMEOUT_MS / 1000} s`;
    throw new AgentCoreError('timeout', sentence, { cause: thrown });
  });
  const { status } = reply;
  if (status >= 200 && status < 300) {
    // Read the body, so that the connection can be reused.
    reply.whole(MAX_BODY_BYTES).catch(() => undefined);
    return true;
  }
  const { name, words, retryAfter, requestId } = await readErrorReply(reply);
  if (status === 404 && name === 'ResourceNotFoundException') return false;
  if (status === 401 || status === 403) authorizer.learnTime?.(reply.headers.date);
  const facts: RejectionFacts = { status, name, retryAfter, requestId };
  throw new AgentCoreError(
    'upstream',
    [name ?? `HTTP ${status}`, words].filter(Boolean).join(': '),
    {
      data: { ...facts },
    },
  );
}

interface RejectionFacts {
  readonly status?: number | undefined;
  readonly name?: string | undefined;
  readonly retryAfter?: number | undefined;
  readonly requestId?: string | undefined;
}

function getRejectionFacts(thrown: unknown): RejectionFacts {
  return thrown instanceof AgentCoreError && thrown.code === 'upstream' ? (thrown.data ?? {}) : {};
}

/** True if the session is starting or stopping, or AgentCore throttles. */
function isTransient(thrown: unknown): boolean {
  const { status, name } = getRejectionFacts(thrown);
  return status === 409 || status === 429 || name === 'ThrottlingException';
}

function isUnanswered(thrown: unknown): boolean {
  const { status = 0 } = getRejectionFacts(thrown);
  if (status >= 500) return true;
  return thrown instanceof AgentCoreError && ['connection', 'timeout'].includes(thrown.code);
}

/** True if AgentCore rejected the caller, or if there is no token. */
function isAuthFailure(thrown: unknown): boolean {
  const { status } = getRejectionFacts(thrown);
  if (status !== undefined) return status === 401 || status === 403;
  return thrown instanceof AgentCoreError && thrown.code === 'credentials';
}

function createStopRejectedError(ofToken: unknown, ofCredentials: unknown): AgentCoreError {
  const { status } = getRejectionFacts(ofToken);
  return new AgentCoreError(
    'upstream',
    `It is stopped neither with a bearer token (${status === undefined ? getErrorMessage(ofToken) : `HTTP ${status}`}) nor with IAM credentials (${getErrorMessage(ofCredentials)}): see to it that the runtime's JWT authorizer allows the token, or set AWS_PROFILE to a profile that may call bedrock-agentcore:StopRuntimeSession`,
    { cause: ofToken },
  );
}
