import type { GatewayAddress, RuntimeArn } from '../aws/arn.ts';
import {
  type Authorizer,
  type CachedToken,
  createBearerAuthorizer,
  createIamAuthorizer,
  createTokenProvider,
  NO_AUTHORIZER,
} from '../aws/auth/authorizer.ts';
import type { AuthorizationSettings } from '../aws/auth/settings.ts';
import type { CredentialProvider } from '../aws/credentials/provider.ts';
import {
  getDataPlaneUrl,
  getGatewayUrl,
  getRuntimeInvocationsUrl,
  PAYLOAD_LIMIT,
  readServiceSettings,
  type ServiceSettings,
} from '../aws/endpoints.ts';
import type { SigningClock } from '../aws/sigv4.ts';
import type { Environment } from '../base/environment.ts';
import { AgentCoreError } from '../base/errors.ts';
import type { Log } from '../base/logger.ts';
import type { Network } from '../http/network.ts';
import type { Timeouts } from '../http/post.ts';
import { InitializeFirstInterceptor } from '../recovery/session-replay.ts';
import type { Interceptor } from '../relay/peer.ts';
import type { ToolCatalog } from '../relay/tool-catalog.ts';
import {
  createSessionId,
  deriveIdentitySessionId,
  type SessionMode,
} from '../sessions/runtime-session.ts';
import { SessionManager } from '../sessions/session-manager.ts';
import { createStopTarget } from '../sessions/stop-session.ts';
import type { SessionOrigin } from '../state/journal/records.ts';
import type { Journal } from '../state/store.ts';
import { GatewayInvoker, GatewaySessions } from './gateway.ts';
import { RuntimeInvoker } from './runtime.ts';
import { SessionRouter } from './session-router.ts';

/** The server to call. */
export type ServerSettings =
  | {
      readonly kind: 'runtime';
      readonly runtime: RuntimeArn;
      readonly qualifier: string | undefined;
    }
  | { readonly kind: 'gateway'; readonly gateway: GatewayAddress };

/** Region for STS if none is configured. All regions of a partition return the same caller. */
const ANY_REGION = 'us-east-1';

/** The part of the proxy's settings for the connection to the server. */
interface ConnectSettings {
  readonly server: ServerSettings;
  readonly authorization: AuthorizationSettings;
  readonly profile: string | undefined;
  readonly mode: SessionMode;
  readonly timeouts: Timeouts;
  /** True if the sessions are stopped when they or the proxy end. */
  readonly stopsSessions: boolean;
}

interface ServerOptions {
  readonly settings: ConnectSettings;
  readonly service: ServiceSettings;
  /** IAM credentials. Unused if the server requires bearer tokens. */
  readonly credentials: CredentialProvider;
  readonly clock: SigningClock;
  /** The assumed role, as recorded in the journal. */
  readonly assumeRole: SessionOrigin['assumeRole'];
  readonly env: Environment;
  readonly network: Network;
  readonly journal: Journal;
  readonly log: Log;
  /** Like `log`, but without an error record in the journal. For events with another record. */
  readonly say: Log;
  readonly tools: ToolCatalog;
  /** Retries the requests of the handshakes sent by the proxy. */
  readonly handshakeRetry: Interceptor;
}

/** The connected server. */
interface Server {
  /** ARN or URL. */
  readonly name: string;
  readonly url: URL;
  readonly end: SessionRouter;
  /** The caller's ARN, or the subject of the bearer token. Cached. */
  readonly caller: () => Promise<string>;
  /** Sessions that cost money; `undefined` for a gateway. */
  readonly sessions: SessionManager | undefined;
}

/**
 * Creates the connection to a runtime or a gateway: endpoint, authorization, and sessions. Sends no
 * message yet.
 *
 * @throws {AgentCoreError} `usage` or `config`
 */
export function openUpstream(options: ServerOptions): Promise<Server> {
  const { server } = options.settings;
  return server.kind === 'runtime' ? openRuntime(server, options) : openGateway(server, options);
}

/** The region of a server; `undefined` if its address contains none. */
export function getRegion(server: ServerSettings): string | undefined {
  return server.kind === 'runtime' ? server.runtime.region : server.gateway.region;
}

async function openRuntime(
  { runtime, qualifier }: ServerSettings & { readonly kind: 'runtime' },
  options: ServerOptions,
): Promise<Server> {
  const { settings, service, credentials, clock, assumeRole, env, network, journal, say } = options;
  const { mode, profile, authorization, timeouts } = settings;
  const { region } = runtime;
  const endpoint = runtime.dataPlane
    ? new URL(runtime.dataPlane)
    : getDataPlaneUrl(runtime, service);
  const agent = await network.agentFor(endpoint);
  const url = getRuntimeInvocationsUrl(endpoint, runtime, qualifier);
  const token = createTokenProvider(authorization, url, { network, env });
  const authorizer = token
    ? createBearerAuthorizer(token)
    : createIamAuthorizer(credentials, region, clock);
  const { method } = authorization;
  const sessions = new SessionManager({
    origin: {
      runtime: runtime.arn,
      qualifier,
      mode,
      endpoint: endpoint.href,
      profile,
      assumeRole,
      ...((method === 'oauth' || method === 'token-command') && { authorization: method }),
    },
    journal,
    stopTarget: createStopTarget({
      runtime,
      qualifier,
      endpoint,
      credentials,
      clock,
      token,
      agent,
    }),
    say,
  });
  const caller = createPrincipalReader(options, token, region);
  const sessionId = async () => {
    if (mode !== 'identity') return createSessionId();
    return deriveIdentitySessionId({
      callerArn: await caller(),
      runtimeArn: runtime.arn,
      qualifier,
    });
  };
  const end = new SessionRouter({
    upstream: new RuntimeInvoker({
      runtime,
      qualifier,
      endpoint,
      authorizer,
      agent,
      network,
      timeouts,
    }),
    sessions,
    sessionId,
    ...createCommonOptions(options),
  });
  return { name: runtime.arn, url: endpoint, end, sessions, caller };
}

async function openGateway(
  { gateway }: ServerSettings & { readonly kind: 'gateway' },
  options: ServerOptions,
): Promise<Server> {
  const { settings, service, env, network } = options;
  const url = getGatewayUrl(gateway, service);
  const agent = await network.agentFor(url);
  const token = createTokenProvider(settings.authorization, url, { network, env });
  const authorizer = createAuthorizer(options, token);
  const { name, region } = gateway;
  const { timeouts } = settings;
  const end = new SessionRouter({
    upstream: new GatewayInvoker({ name, url, authorizer, agent, network, timeouts }),
    sessions: new GatewaySessions(),
    sessionId: async () => createSessionId(),
    ...createCommonOptions(options),
  });
  return {
    name,
    url,
    end,
    sessions: undefined,
    caller: createPrincipalReader(options, token, region),
  };
}

function createAuthorizer(
  { settings, service, credentials, clock }: ServerOptions,
  token: CachedToken | undefined,
): Authorizer {
  if (token) return createBearerAuthorizer(token);
  if (settings.authorization.method === 'none') return NO_AUTHORIZER;
  const region = getRegion(settings.server) ?? service.region;
  if (region !== undefined) return createIamAuthorizer(credentials, region, clock);
  throw new AgentCoreError(
    'usage',
    "AGENTCORE_AGENT_ARN does not say in which region the gateway is: set AWS_REGION to it, or give the gateway's ARN",
  );
}

function createCommonOptions({ settings, tools, handshakeRetry, log }: ServerOptions) {
  const { mode, stopsSessions } = settings;
  return {
    mode,
    tools,
    alone: [new InitializeFirstInterceptor(handshakeRetry)],
    endsSessions: stopsSessions,
    messageLimit: PAYLOAD_LIMIT,
    log,
  };
}

/** Returns a function for the caller's ARN or token subject. It caches success but not failure. */
function createPrincipalReader(
  { settings, service, credentials, env, network }: ServerOptions,
  token: CachedToken | undefined,
  region: string | undefined,
): () => Promise<string> {
  let asked: Promise<string> | undefined;
  const ask = async () => {
    if (token) return readTokenSubject(token);
    if (settings.authorization.method === 'none') return 'anonymous';
    const { getCallerArn: callerArn } = await import('../aws/credentials/caller-identity.ts');
    return callerArn({
      credentials,
      region: service.region ?? region ?? ANY_REGION,
      network,
      sts: await readServiceSettings('STS', settings.profile, env),
    });
  };
  return () => {
    asked ??= ask().catch((thrown) => {
      asked = undefined;
      throw thrown;
    });
    return asked;
  };
}

/** Returns the subject of the bearer token. It names the caller, also for identity sessions. */
async function readTokenSubject(token: CachedToken): Promise<string> {
  const { getTokenSubject: holderOf } = await import('../aws/auth/bearer-token.ts');
  const holder = holderOf(await token.get());
  if (holder !== undefined) return holder;
  throw new AgentCoreError(
    'usage',
    'RUNTIME_SESSION_MODE is "identity", but the bearer token does not say whose it is: set the mode to session or request',
  );
}
