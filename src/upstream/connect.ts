import type { Agent } from 'node:http';
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
import { PAYLOAD_LIMIT, readServiceSettings, type ServiceSettings } from '../aws/endpoints.ts';
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
import { HttpClient } from './http-client.ts';
import { SessionRouter } from './session-router.ts';
import { createGatewayTarget, createRuntimeTarget, getRuntimeEndpoint } from './targets.ts';
import { UnrecordedSessions } from './upstream.ts';

interface RuntimeServer {
  readonly kind: 'runtime';
  readonly runtime: RuntimeArn;
  readonly qualifier: string | undefined;
}

/** The server to call. */
export type ServerSettings =
  | RuntimeServer
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

interface UpstreamOptions {
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

/** The server behind the relay. */
interface Upstream {
  /** ARN or URL. */
  readonly name: string;
  readonly url: URL;
  readonly peer: SessionRouter;
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
export async function openUpstream(options: UpstreamOptions): Promise<Upstream> {
  const { settings, service, env, network, tools, handshakeRetry, log } = options;
  const { server, authorization, mode, timeouts, stopsSessions } = settings;
  const target =
    server.kind === 'runtime'
      ? createRuntimeTarget(server, service)
      : createGatewayTarget(server.gateway, service);
  const { name, url } = target;
  const agent = await network.agentFor(url);
  const token = createTokenProvider(authorization, url, { network, env });
  const authorizer = createAuthorizer(options, token);
  const caller = createPrincipalReader(options, token, getRegion(server));
  const sessions =
    server.kind === 'runtime' ? createSessionManager(server, options, { agent, token }) : undefined;
  const sessionId = async () => {
    if (mode !== 'identity' || server.kind !== 'runtime') return createSessionId();
    const { runtime, qualifier } = server;
    const callerArn = await caller();
    return deriveIdentitySessionId({ callerArn, runtimeArn: runtime.arn, qualifier });
  };
  const peer = new SessionRouter({
    client: new HttpClient({ target, authorizer, agent, network, timeouts }),
    sessions: sessions ?? new UnrecordedSessions(),
    sessionId,
    mode,
    tools,
    alone: [new InitializeFirstInterceptor(handshakeRetry)],
    endsSessions: stopsSessions,
    messageLimit: PAYLOAD_LIMIT,
    log,
  });
  return { name, url, peer, sessions, caller };
}

/** The region of a server; `undefined` if its address contains none. */
export function getRegion(server: ServerSettings): string | undefined {
  return server.kind === 'runtime' ? server.runtime.region : server.gateway.region;
}

/** Creates the manager of a runtime's sessions. */
function createSessionManager(
  { runtime, qualifier }: RuntimeServer,
  { settings, service, credentials, clock, assumeRole, journal, say }: UpstreamOptions,
  connection: { readonly agent: Agent; readonly token: CachedToken | undefined },
): SessionManager {
  const { mode, profile, authorization } = settings;
  const { method } = authorization;
  const endpoint = getRuntimeEndpoint(runtime, service);
  return new SessionManager({
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
      ...connection,
    }),
    say,
  });
}

function createAuthorizer(
  { settings, service, credentials, clock }: UpstreamOptions,
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

/** Returns a function for the caller's ARN or token subject. It caches success but not failure. */
function createPrincipalReader(
  { settings, service, credentials, env, network }: UpstreamOptions,
  token: CachedToken | undefined,
  region: string | undefined,
): () => Promise<string> {
  let principal: Promise<string> | undefined;
  const read = async () => {
    if (token) return readTokenSubject(token);
    if (settings.authorization.method === 'none') return 'anonymous';
    const { getCallerArn } = await import('../aws/credentials/caller-identity.ts');
    return getCallerArn({
      credentials,
      region: service.region ?? region ?? ANY_REGION,
      network,
      sts: await readServiceSettings('STS', settings.profile, env),
    });
  };
  return () => {
    principal ??= read().catch((thrown) => {
      principal = undefined;
      throw thrown;
    });
    return principal;
  };
}

/** Returns the subject of the bearer token. It names the caller, also for identity sessions. */
async function readTokenSubject(token: CachedToken): Promise<string> {
  const { getTokenSubject } = await import('../aws/auth/bearer-token.ts');
  const subject = getTokenSubject(await token.get());
  if (subject !== undefined) return subject;
  throw new AgentCoreError(
    'usage',
    'RUNTIME_SESSION_MODE is "identity", but the bearer token does not say whose it is: set the mode to session or request',
  );
}
