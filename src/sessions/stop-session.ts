import { randomUUID } from 'node:crypto';
import type { Agent } from 'node:http';
import { parseRuntimeArn, type RuntimeArn } from '../aws/arn.ts';
import {
  type Authorizer,
  type CachedToken,
  canRenewalHelp,
  createBearerAuthorizer,
  createIamAuthorizer,
  createTokenProvider,
} from '../aws/auth/authorizer.ts';
import { isBearer, readAuthorization } from '../aws/auth/settings.ts';
import type { AssumeRole } from '../aws/credentials/options.ts';
import { type CredentialProvider, createCredentialProvider } from '../aws/credentials/provider.ts';
import {
  getRuntimeInvocationsUrl,
  getRuntimeStopUrl,
  openNetwork,
  readServiceSettings,
} from '../aws/endpoints.ts';
import { readErrorReply } from '../aws/error-reply.ts';
import type { LifecycleConfiguration } from '../aws/sdk-client.ts';
import { getEnvironmentProfile } from '../aws/shared-config.ts';
import { SigningClock } from '../aws/sigv4.ts';
import { getBackoffDelay, sleep, withAbort } from '../base/async.ts';
import type { Environment } from '../base/environment.ts';
import { AgentCoreError, getErrorMessage } from '../base/errors.ts';
import { formatTime } from '../base/format.ts';
import type { Network } from '../http/network.ts';
import { ConnectionThrottle, post, type RequestTarget, toRequestTarget } from '../http/post.ts';
import type { SessionOrigin } from '../state/journal/records.ts';
import { isAwsEndpoint, type LifecycleSubject } from './lifecycle.ts';
import type { SessionInfo } from './session-info.ts';

/** Stops one or several runtime sessions, with the profile and role of their records. */

/** Timeout of one stop with all attempts, in milliseconds. */
export const STOP_TIMEOUT_MS = 20_000;

/** Timeout of one attempt after it is signed, in milliseconds. */
const ATTEMPT_TIMEOUT_MS = 5_000;

/** Milliseconds between two attempts. */
const BACKOFF = { initialMs: 100, maxMs: 2_000 };

/** A session starts within seconds, and an ending program has little time. */
const CONFLICT_BACKOFF = { initialMs: 100, maxMs: 500 };

/** Attempts without an answer, or with a server error. Conflicts and throttling have no limit. */
const MAX_UNANSWERED_ATTEMPTS = 3;

/** Maximum body to read after a success. Its content is not needed. */
const MAX_BODY_BYTES = 64 * 1024;

/** Reason if AgentCore returns 404 for the sent id, but the microVM may have another id. */
export const UNKNOWN_ID_REASON =
  'AgentCore knows no session by the id that was sent, and its own was never learnt';

const SESSION_HEADER = 'x-amzn-bedrock-agentcore-runtime-session-id';

interface StopTargetOptions {
  readonly runtime: RuntimeArn;
  readonly qualifier: string | undefined;
  /** Base URL of the data plane. */
  readonly endpoint: URL;
  readonly credentials: CredentialProvider;
  readonly clock: SigningClock;
  /** The invocations' token, if the runtime takes bearer tokens. */
  readonly token?: CachedToken | undefined;
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

/** The outcome of a stop. `gone`: AgentCore finds no session for any of the ids. */
export type StopResult =
  | { readonly how: 'stopped' | 'gone' }
  | { readonly how: 'failed'; readonly reason: string; readonly cause?: unknown };

/** Signs with the bearer token if there is one, and with IAM credentials otherwise. */
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
 * Stops a runtime session and thereby the billing of its microVM. This is the only code for it. It
 * calls StopRuntimeSession without the SDK, because loading the SDK takes too long when a program
 * ends. Throttling, conflicts and network failures are retried. Never rejects.
 *
 * @param ids Possible ids of the session in AgentCore, the likelier one first.
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

/** @returns false if AgentCore finds no session for this id. */
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
  for (let attempt = 1; ; attempt++) {
    const began = performance.now();
    try {
      return await send(authorizer, target, { id, body }, signal);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      if (!isRenewed && canRenewalHelp(authorizer.method, getRejectionFacts(thrown))) {
        isRenewed = await withAbort(authorizer.renew(began), signal);
        if (isRenewed) continue;
      }
      if (
        !isTransient(thrown) &&
        !(isUnanswered(thrown) && ++unanswered < MAX_UNANSWERED_ATTEMPTS)
      ) {
        throw thrown;
      }
      const { retryAfter = 0, status } = getRejectionFacts(thrown);
      const delayMs = getBackoffDelay(attempt, status === 409 ? CONFLICT_BACKOFF : BACKOFF);
      await sleep(Math.max(delayMs, retryAfter * 1000), signal).catch(() => {
        throw thrown;
      });
    }
  }
}

/**
 * Sends one signed request. Returns false on a 404 for the session.
 *
 * @throws {AgentCoreError} `upstream` with {@link RejectionFacts} if AgentCore rejects the request.
 */
async function send(
  authorizer: Authorizer,
  { target, agent, pace }: StopTarget,
  { id, body }: { readonly id: string; readonly body: Buffer },
  signal: AbortSignal,
): Promise<boolean> {
  signal.throwIfAborted();
  const headers = await withAbort(
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
    // Read the body to make the connection reusable.
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

/** The `data` of an error after a rejection. `retryAfter` is in seconds. */
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

/** True if AgentCore returned a server error or no response. */
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
    `Could not stop it with a bearer token (${status === undefined ? getErrorMessage(ofToken) : `HTTP ${status}`}) or with IAM credentials (${getErrorMessage(ofCredentials)}): allow the token in the runtime's JWT authorizer, or set AWS_PROFILE to a profile that may call bedrock-agentcore:StopRuntimeSession`,
    { cause: ofToken },
  );
}

/** Stops a session of any program, by its record. Never rejects. */
export async function stopRecordedSession(
  entry: SessionInfo,
  clients: SessionClientFactory,
  signal: AbortSignal,
): Promise<StopResult> {
  if (signal.aborted) return createFailedResult('interrupted before it was tried');
  try {
    const target = await clients.createStopTargetFor(entry);
    const options = { signal, timeoutMs: STOP_TIMEOUT_MS };
    const result = await stopSession(target, entry.stopIds, options);
    if (result.how === 'gone' && !entry.idsKnown && entry.mayBill)
      return createFailedResult(describeUnknownId(entry));
    if (result.how !== 'failed') return result;
    if (signal.aborted) return createFailedResult('interrupted');
    const lacksToken = entry.authorization !== undefined && !target.fallback;
    return lacksToken ? addMissingSettings(result, entry.authorization) : result;
  } catch (cause) {
    return createFailedResult(getErrorMessage(cause), cause);
  }
}

/** Reason if a 404 proves nothing: the id of the microVM may be unknown. */
function describeUnknownId({ mayBillUntil }: SessionInfo): string {
  const until = mayBillUntil ? ` until ${formatTime(mayBillUntil)}` : '';
  return `${UNKNOWN_ID_REASON}; it may be billed${until}`;
}

/** Adds the missing settings to the reason, because only IAM credentials were tried. */
function addMissingSettings(
  result: StopResult & { readonly how: 'failed' },
  authorization: SessionInfo['authorization'],
): StopResult {
  const { reason, cause } = result;
  const isOfCaller =
    cause instanceof AgentCoreError && (cause.code === 'upstream' || cause.code === 'credentials');
  if (!isOfCaller) return result;
  const variables =
    authorization === 'oauth'
      ? 'AGENTCORE_OAUTH_CLIENT_ID and AGENTCORE_OAUTH_CLIENT_SECRET'
      : 'AGENTCORE_TOKEN_COMMAND';
  return {
    ...result,
    reason: `${reason.replace(/[.;:\s]+$/, '')}; its runtime takes bearer tokens, so set ${variables} as they were set for the program that began it`,
  };
}

function createFailedResult(reason: string, cause?: unknown): StopResult {
  return { how: 'failed', reason, ...(cause !== undefined && { cause }) };
}

/** Example key from the AWS documentation. A local AgentCore accepts it by default. */
const EXAMPLE_KEY = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};

const EXAMPLE_CREDENTIALS: CredentialProvider = Object.assign(async () => EXAMPLE_KEY, {
  renew: async () => false,
});

/** Returns the external id of a role, or `undefined` if unknown. Records do not contain it. */
export type GetExternalId = (role: Pick<AssumeRole, 'arn' | 'chain'>) => string | undefined;

/**
 * Creates clients that stop a session or read its runtime. They use the region, endpoint, profile
 * and role of the session's record. The environment provides missing values.
 */
export class SessionClientFactory {
  readonly #env: Environment;
  readonly #getExternalId: GetExternalId;
  readonly #credentials = new Map<string, CredentialProvider>();
  readonly #clock = new SigningClock();
  /** Tokens by invocations URL. */
  readonly #tokens = new Map<string, CachedToken | undefined>();

  constructor(env: Environment, externalIdOf: GetExternalId = () => undefined) {
    this.#env = env;
    this.#getExternalId = externalIdOf;
  }

  /** Calls `GetAgentRuntime` for the session's runtime. Rejects as the SDK client does. */
  async readLifecycle(
    session: LifecycleSubject,
    signal: AbortSignal,
  ): Promise<LifecycleConfiguration | undefined> {
    const { getControlPlaneUrl: controlPlaneUrl, readLifecycle } = await import(
      '../aws/sdk-client.ts'
    );
    const runtime = parseRuntimeArn(session.runtime);
    const settings = await readServiceSettings(
      'Bedrock AgentCore Control',
      this.#getProfile(session),
      this.#env,
    );
    // A local runtime serves both planes. The environment may now name another endpoint.
    const isLocal = !isAwsEndpoint(session.endpoint);
    return readLifecycle({
      runtime,
      endpoint: isLocal ? new URL(session.endpoint) : controlPlaneUrl(runtime, settings),
      credentials: await this.#createCredentials(session),
      network: await this.#getNetwork(session),
      signal,
    });
  }

  /**
   * Returns the endpoint and the authorization to stop the session. Rejects if the record's ARN or
   * endpoint, or the environment's settings, are invalid.
   */
  async createStopTargetFor(session: SessionOrigin): Promise<StopTarget> {
    const endpoint = new URL(session.endpoint);
    const runtime = parseRuntimeArn(session.runtime);
    const network = await this.#getNetwork(session);
    return createStopTarget({
      runtime,
      qualifier: session.qualifier,
      endpoint,
      token: this.#createToken(session, runtime, endpoint, network),
      credentials: await this.#createCredentials(session),
      clock: this.#clock,
      agent: await network.agentFor(endpoint),
    });
  }

  /**
   * Creates a token from the environment, because the journal does not contain secrets. Returns
   * `undefined` if the session used IAM credentials, or if the environment has no token settings.
   */
  #createToken(
    session: SessionOrigin,
    runtime: RuntimeArn,
    endpoint: URL,
    network: Network,
  ): CachedToken | undefined {
    if (session.authorization === undefined) return undefined;
    const settings = readAuthorization(this.#env);
    if (!isBearer(settings)) return undefined;
    const url = getRuntimeInvocationsUrl(endpoint, runtime, session.qualifier);
    if (!this.#tokens.has(url.href)) {
      this.#tokens.set(url.href, createTokenProvider(settings, url, { network, env: this.#env }));
    }
    return this.#tokens.get(url.href);
  }

  /** Creates credentials. Sessions with the same region, profile and role share them. */
  async #createCredentials(session: LifecycleSubject): Promise<CredentialProvider> {
    const { region } = parseRuntimeArn(session.runtime);
    const profile = this.#getProfile(session);
    if (profile === undefined && this.#needsNoCredentials(session)) return EXAMPLE_CREDENTIALS;
    const assumeRole = session.assumeRole && {
      ...session.assumeRole,
      // Records do not contain the external id.
      externalId:
        this.#getExternalId(session.assumeRole) ??
        (this.#env.AGENTCORE_ASSUME_ROLE_EXTERNAL_ID || undefined),
    };
    const network = await this.#getNetwork(session);
    const key = JSON.stringify([region, profile, assumeRole]);
    let credentials = this.#credentials.get(key);
    if (!credentials) {
      credentials = createCredentialProvider({
        profile,
        region,
        assumeRole,
        network,
        env: this.#env,
        clock: this.#clock,
      });
      this.#credentials.set(key, credentials);
    }
    return credentials;
  }

  /** True if the session is of a local AgentCore and the environment has no key for it. */
  #needsNoCredentials({ endpoint, assumeRole }: LifecycleSubject): boolean {
    const isLoopback = ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(endpoint).hostname);
    return isLoopback && !assumeRole && !this.#env.AWS_ACCESS_KEY_ID;
  }

  /** Opened late: if the proxy settings are invalid, only requests through them fail. */
  #getNetwork(subject: LifecycleSubject): Promise<Network> {
    return openNetwork(this.#getProfile(subject), this.#env);
  }

  #getProfile({ profile }: LifecycleSubject): string | undefined {
    return profile ?? getEnvironmentProfile(this.#env);
  }
}
