import { withAbort } from '../../base/async.ts';
import { AgentCoreError, getErrorMessage } from '../../base/errors.ts';
import { readServiceSettings, type ServiceSettings } from '../endpoints.ts';
import { createSdkRequestHandler } from '../sdk-client.ts';
import { getHttpStatus } from '../sdk-errors.ts';
import type { SsoContext, SsoSession } from './sso-session.ts';

/** Connects SDK clients of Identity Center, and makes calls with a timeout and clear errors. */

/** Maximum milliseconds of a call, including retries. */
const CALL_TIMEOUT_MS = 25_000;

/** Resolves a service endpoint by the rules of its SDK client. */
type EndpointProvider = (parameters: {
  readonly Region: string;
  readonly UseFIPS: boolean;
  readonly UseDualStack: boolean;
  readonly Endpoint?: string;
}) => { readonly url: URL };

/** The connection of an SDK client to a service of the session. */
export interface ServiceConnection {
  readonly endpoint: URL;
  /** Options for the client's constructor. */
  readonly settings: {
    readonly endpoint: string;
    readonly region: string;
    readonly useFipsEndpoint: false;
    readonly useDualstackEndpoint: false;
    readonly requestHandler: ReturnType<typeof createSdkRequestHandler>;
  };
  /** Closes the sockets. */
  close(): void;
}

/**
 * Creates the connection to a service, with the endpoint and network settings of the profile.
 *
 * @param serviceId The SDK's service id, such as `SSO OIDC`.
 * @throws {AgentCoreError} `config` if endpoint settings conflict.
 */
export async function connectService(
  serviceId: string,
  endpointProvider: unknown,
  session: SsoSession,
  { env, network }: SsoContext,
): Promise<ServiceConnection> {
  const settings = await readServiceSettings(serviceId, session.profile, env);
  const endpoint = resolveEndpoint(endpointProvider as EndpointProvider, session.region, settings);
  const agent = await network.agentFor(endpoint);
  // The handler would only log a read timeout to the console. `call` ends the request instead.
  const requestHandler = createSdkRequestHandler(agent, { connect: 10_000, read: 0 });
  return {
    endpoint,
    settings: {
      // Always set. Otherwise the client uses the endpoint of `AWS_PROFILE`.
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

function resolveEndpoint(
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
      `Could not find the endpoint of IAM Identity Center in ${region}: ${getErrorMessage(cause)}`,
      { cause },
    );
  }
}

/**
 * Makes a call with a timeout, and stops immediately if the signal aborts. The SDK alone does
 * neither: it ignores the signal between attempts, and does not enforce its own timeout.
 *
 * @param what Start of the error message, such as `Could not list accounts`.
 * @throws the signal's reason if the signal aborts.
 * @throws {AgentCoreError} `credentials` if the service denies access, `upstream` if it fails,
 * `connection` or `timeout` if it is unreachable.
 */
export async function call<T>(
  what: string,
  { host }: URL,
  signal: AbortSignal,
  send: (options: { readonly abortSignal: AbortSignal }) => Promise<T>,
): Promise<T> {
  const late = AbortSignal.timeout(CALL_TIMEOUT_MS);
  const ending = AbortSignal.any([signal, late]);
  try {
    return await withAbort(send({ abortSignal: ending }), ending);
  } catch (cause) {
    signal.throwIfAborted();
    if (late.aborted) {
      throw new AgentCoreError(
        'timeout',
        `${what}: ${host} did not answer within ${CALL_TIMEOUT_MS / 1000} s, check the network and proxy settings`,
        { cause },
      );
    }
    throw createServiceError(what, host, cause);
  }
}

/** Returns the OAuth error code, such as `slow_down`, or `undefined` for other failures. */
export function getOAuthErrorCode(thrown: unknown): string | undefined {
  const reason = thrown instanceof AgentCoreError ? thrown.data?.refusal : undefined;
  return typeof reason === 'string' ? reason : undefined;
}

/** The relevant members of SDK exceptions. */
interface ServiceException {
  readonly name: string;
  readonly message: string;
  readonly error?: string;
  readonly error_description?: string;
}

function createServiceError(what: string, host: string, cause: unknown): AgentCoreError {
  if (cause instanceof AgentCoreError) return cause;
  const { name, message, error, error_description: description } = cause as ServiceException;
  const status = getHttpStatus(cause);
  if (status === undefined) {
    return new AgentCoreError(
      'connection',
      `${what}: the connection to ${host} failed, check the network and proxy settings (${getErrorMessage(cause)})`,
      { cause },
    );
  }
  const reason = description || message || name;
  if (status >= 500 || status === 429) {
    return new AgentCoreError('upstream', `${what}: ${reason}`, { cause, data: { status } });
  }
  const refusal = error ?? toOAuthName(name);
  return new AgentCoreError('credentials', `${what}: ${reason}`, {
    cause,
    data: { status, refusal },
  });
}

/** `SlowDownException` becomes OAuth's `slow_down`. */
function toOAuthName(exception: string): string {
  return exception
    .replace(/Exception$/, '')
    .replace(/(?<=.)[A-Z]/g, '_$&')
    .toLowerCase();
}
