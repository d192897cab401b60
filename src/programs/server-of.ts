import type { AuthorizationSettings } from '../aws/authorization/authorization-settings.ts';
import {
  type Authorizer,
  bearerAuthorizer,
  iamAuthorizer,
  NO_AUTHORIZER,
} from '../aws/authorization/authorizer.ts';
import { findToken } from '../aws/authorization/find-token.ts';
import type { KeptToken } from '../aws/authorization/kept-token.ts';
import type { AwsClock } from '../aws/aws-clock.ts';
import type { FoundCredentials } from '../aws/credentials/credentials.ts';
import { dataPlaneUrl } from '../aws/endpoints.ts';
import { gatewayUrl } from '../aws/gateway-address.ts';
import type { Network } from '../aws/network.ts';
import { PAYLOAD_LIMIT } from '../aws/payload-limit.ts';
import { runtimeInvocationsUrl } from '../aws/runtime-url.ts';
import { readServiceSettings, type ServiceSettings } from '../aws/shared-config.ts';
import type { Timeouts } from '../aws/silence-clock.ts';
import { GatewayInvoker } from '../ends/gateway/gateway-invoker.ts';
import { GatewaySessions } from '../ends/gateway/gateway-sessions.ts';
import { RuntimeInvoker } from '../ends/runtime/invoker.ts';
import { UpstreamEnd } from '../ends/upstream/upstream-end.ts';
import type { Environment } from '../environment.ts';
import { AgentCoreError } from '../error.ts';
import type { Journal } from '../journal/journal.ts';
import type { SessionOrigin } from '../journal/records.ts';
import type { Log } from '../log.ts';
import type { ToolHeaders } from '../mcp/tool-headers.ts';
import { HandshakeFirst } from '../recovery/handshake-first.ts';
import type { Interceptor } from '../relay/interceptors.ts';
import { freshSessionId, identitySessionId, type SessionMode } from '../sessions/session-ids.ts';
import { SessionRegister } from '../sessions/session-register.ts';
import { createStopTarget } from '../sessions/stop-session.ts';
import type { ServerSettings } from './server-settings.ts';

/** STS returns the same in every region of a partition. Used if no region is configured. */
const ANY_REGION = 'us-east-1';

/** The settings that decide how to connect. */
interface ConnectSettings {
  readonly server: ServerSettings;
  readonly authorization: AuthorizationSettings;
  readonly profile: string | undefined;
  readonly mode: SessionMode;
  readonly timeouts: Timeouts;
  /** Whether to stop the sessions when the proxy ends. */
  readonly stopsSessions: boolean;
}

export interface ServerOptions {
  readonly settings: ConnectSettings;
  readonly service: ServiceSettings;
  /** IAM credentials. May be unused if the gateway or runtime takes bearer tokens. */
  readonly credentials: FoundCredentials;
  readonly clock: AwsClock;
  /** The assumed role, as recorded in the journal. */
  readonly assumeRole: SessionOrigin['assumeRole'];
  readonly env: Environment;
  readonly network: Network;
  readonly journal: Journal;
  readonly log: Log;
  /** Logs what the journal has in a record of its own. */
  readonly say: Log;
  readonly tools: ToolHeaders;
  /** Interceptor for the handshakes that the proxy repeats. */
  readonly handshakeRetry: Interceptor;
}

/** The proxy's server. */
export interface Server {
  /** ARN or URL. */
  readonly name: string;
  readonly url: URL;
  readonly end: UpstreamEnd;
  /** The caller's ARN, or the subject of the bearer token. Cached. */
  readonly caller: () => Promise<string>;
  /** Sessions that cost money; `undefined` for a gateway. */
  readonly sessions: SessionRegister | undefined;
}

/**
 * @throws {AgentCoreError} `usage` or `config`
 */
export function serverOf(options: ServerOptions): Promise<Server> {
  const { server } = options.settings;
  return server.kind === 'runtime' ? runtimeOf(server, options) : gatewayOf(server, options);
}

/** The region of a server; `undefined` if its address contains none. */
export function regionOf(server: ServerSettings): string | undefined {
  return server.kind === 'runtime' ? server.runtime.region : server.gateway.region;
}

async function runtimeOf(
  { runtime, qualifier }: ServerSettings & { readonly kind: 'runtime' },
  options: ServerOptions,
): Promise<Server> {
  const { settings, service, credentials, clock, assumeRole, env, network, journal, say } = options;
  const { mode, profile, authorization, timeouts } = settings;
  const { region } = runtime;
  const endpoint = runtime.dataPlane ? new URL(runtime.dataPlane) : dataPlaneUrl(runtime, service);
  const agent = await network.agentFor(endpoint);
  const url = runtimeInvocationsUrl(endpoint, runtime, qualifier);
  const token = findToken(authorization, url, { network, env });
  const authorizer = token ? bearerAuthorizer(token) : iamAuthorizer(credentials, region, clock);
  const { method } = authorization;
  const sessions = new SessionRegister({
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
  const caller = callerOf(options, token, region);
  const sessionId = async () => {
    if (mode !== 'identity') return freshSessionId();
    return identitySessionId({ callerArn: await caller(), runtimeArn: runtime.arn, qualifier });
  };
  const end = new UpstreamEnd({
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
    ...common(options),
  });
  return { name: runtime.arn, url: endpoint, end, sessions, caller };
}

async function gatewayOf(
  { gateway }: ServerSettings & { readonly kind: 'gateway' },
  options: ServerOptions,
): Promise<Server> {
  const { settings, service, env, network } = options;
  const url = gatewayUrl(gateway, service);
  const agent = await network.agentFor(url);
  const token = findToken(settings.authorization, url, { network, env });
  const authorizer = authorizerOf(options, token);
  const { name, region } = gateway;
  const { timeouts } = settings;
  const end = new UpstreamEnd({
    upstream: new GatewayInvoker({ name, url, authorizer, agent, network, timeouts }),
    sessions: new GatewaySessions(),
    sessionId: async () => freshSessionId(),
    ...common(options),
  });
  return { name, url, end, sessions: undefined, caller: callerOf(options, token, region) };
}

function authorizerOf(
  { settings, service, credentials, clock }: ServerOptions,
  token: KeptToken | undefined,
): Authorizer {
  if (token) return bearerAuthorizer(token);
  if (settings.authorization.method === 'none') return NO_AUTHORIZER;
  const region = regionOf(settings.server) ?? service.region;
  if (region !== undefined) return iamAuthorizer(credentials, region, clock);
  throw new AgentCoreError(
    'usage',
    "AGENTCORE_AGENT_ARN does not say in which region the gateway is: set AWS_REGION to it, or give the gateway's ARN",
  );
}

function common({ settings, tools, handshakeRetry, log }: ServerOptions) {
  const { mode, stopsSessions } = settings;
  return {
    mode,
    tools,
    alone: [new HandshakeFirst(handshakeRetry)],
    endsSessions: stopsSessions,
    messageLimit: PAYLOAD_LIMIT,
    log,
  };
}

/** Caches the caller. A failure is not cached. */
function callerOf(
  { settings, service, credentials, env, network }: ServerOptions,
  token: KeptToken | undefined,
  region: string | undefined,
): () => Promise<string> {
  let asked: Promise<string> | undefined;
  const ask = async () => {
    if (token) return holderOfToken(token);
    if (settings.authorization.method === 'none') return 'anonymous';
    const { callerArn } = await import('../aws/caller-identity.ts');
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

/** An identity's session is shared by the subject of the token. */
async function holderOfToken(token: KeptToken): Promise<string> {
  const { holderOf } = await import('../aws/authorization/token.ts');
  const holder = holderOf(await token.get());
  if (holder !== undefined) return holder;
  throw new AgentCoreError(
    'usage',
    'RUNTIME_SESSION_MODE is "identity", but the bearer token does not say whose it is: set the mode to session or request',
  );
}
