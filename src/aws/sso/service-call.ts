import { AgentCoreError, messageOf } from '../../error.ts';
import { sdkRequestHandler } from '../sdk-request-handler.ts';
import { readServiceSettings, type ServiceSettings } from '../shared-config.ts';
import type { SsoContext } from './sso-context.ts';
import type { SsoSession } from './sso-session.ts';

/** Milliseconds that one call may take, with all its repetitions. */
const CALL_TIME = 25_000;

/** Finds a service's host, as the endpoint rules of its SDK client do. */
type EndpointProvider = (parameters: {
  readonly Region: string;
  readonly UseFIPS: boolean;
  readonly UseDualStack: boolean;
  readonly Endpoint?: string;
}) => { readonly url: URL };

/** How a client of the SDK gets to one of the session's services. */
export interface ServiceConnection {
  readonly endpoint: URL;
  /** For the client's constructor. */
  readonly settings: {
    readonly endpoint: string;
    readonly region: string;
    readonly useFipsEndpoint: false;
    readonly useDualstackEndpoint: false;
    readonly requestHandler: ReturnType<typeof sdkRequestHandler>;
  };
  /** Ends its sockets. */
  close(): void;
}

/**
 * @param serviceId The SDK's service id, such as `SSO OIDC`.
 * @throws {AgentCoreError} `config` where the settings of endpoints do not go together.
 */
export async function connect(
  serviceId: string,
  endpointProvider: unknown,
  session: SsoSession,
  { env, network }: SsoContext,
): Promise<ServiceConnection> {
  const settings = await readServiceSettings(serviceId, session.profile, env);
  const endpoint = endpointOf(endpointProvider as EndpointProvider, session.region, settings);
  const agent = await network.agentFor(endpoint);
  // The handler only warns of a silence, on the console; `call` ends it.
  const requestHandler = sdkRequestHandler(agent, { connect: 10_000, read: 0 });
  return {
    endpoint,
    settings: {
      // Always given: left to itself, the client takes the one of `AWS_PROFILE`.
      endpoint: endpoint.href,
      region: session.region,
      useFipsEndpoint: false,
      useDualstackEndpoint: false,
      requestHandler,
    },
    close() {
      requestHandler.destroy();
      agent.destroy();
    },
  };
}

function endpointOf(
  endpointProvider: EndpointProvider,
  region: string,
  { fips, dualStack, override }: ServiceSettings,
): URL {
  try {
    return endpointProvider({
      Region: region,
      UseFIPS: fips,
      UseDualStack: dualStack,
      ...(override !== undefined && { Endpoint: override }),
    }).url;
  } catch (cause) {
    throw new AgentCoreError(
      'config',
      `No endpoint of IAM Identity Center in ${region}: ${messageOf(cause)}`,
      { cause },
    );
  }
}

/**
 * Makes a call that ends in time, and at once where the signal aborts: the SDK pauses between its
 * attempts without looking at a signal, and takes its own time limit for a hint.
 *
 * @param what What failed where it does, such as `Could not list accounts`.
 * @throws the signal's reason; {@link AgentCoreError} `credentials` where the service refuses, `upstream`
 *   where it fails, `connection` or `timeout` where it is not reached.
 */
export async function call<T>(
  what: string,
  { host }: URL,
  signal: AbortSignal,
  send: (options: { readonly abortSignal: AbortSignal }) => Promise<T>,
): Promise<T> {
  const late = AbortSignal.timeout(CALL_TIME);
  const ending = AbortSignal.any([signal, late]);
  try {
    return await until(ending, send({ abortSignal: ending }));
  } catch (cause) {
    signal.throwIfAborted();
    if (late.aborted) {
      throw new AgentCoreError(
        'timeout',
        `${what}: ${host} did not answer within ${CALL_TIME / 1000} s, check the network and proxy settings`,
        { cause },
      );
    }
    throw failureOf(what, host, cause);
  }
}

/** What comes, or the signal's reason where that aborts first. */
export async function until<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** What OAuth calls the reason of a refusal, such as `slow_down`; nothing for other failures. */
export function refusalOf(thrown: unknown): string | undefined {
  const reason = thrown instanceof AgentCoreError ? thrown.data?.refusal : undefined;
  return typeof reason === 'string' ? reason : undefined;
}

/** The members of the SDK's exceptions that count here. */
interface ServiceException {
  readonly name: string;
  readonly message: string;
  readonly error?: string;
  readonly error_description?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

function failureOf(what: string, host: string, cause: unknown): AgentCoreError {
  if (cause instanceof AgentCoreError) return cause;
  const {
    name,
    message,
    error,
    error_description: description,
    $metadata,
  } = cause as ServiceException;
  const status = $metadata?.httpStatusCode;
  if (status === undefined) {
    return new AgentCoreError(
      'connection',
      `${what}: the connection to ${host} failed, check the network and proxy settings (${messageOf(cause)})`,
      { cause },
    );
  }
  const reason = description || message || name;
  if (status >= 500 || status === 429) {
    return new AgentCoreError('upstream', `${what}: ${reason}`, { cause, data: { status } });
  }
  const refusal = error ?? oauthName(name);
  return new AgentCoreError('credentials', `${what}: ${reason}`, {
    cause,
    data: { status, refusal },
  });
}

/** `SlowDownException` is OAuth's `slow_down`. */
function oauthName(exception: string): string {
  return exception
    .replace(/Exception$/, '')
    .replace(/(?<=.)[A-Z]/g, '_$&')
    .toLowerCase();
}
