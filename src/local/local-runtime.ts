import { once } from 'node:events';
import { Agent, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AgentCoreError, messageOf } from '../error.ts';
import { HttpExchange } from './answers/http-exchange.ts';
import { restAnswer } from './answers/platform-error.ts';
import { foreignAnswer } from './answers/request-guard.ts';
import { BearerVerifier } from './authorization/bearer-verifier.ts';
import { type Clock, SkewedClock, systemClock } from './clock.ts';
import {
  type LocalConfig,
  type ResolvedConfig,
  type RuntimeConfig,
  resolveConfig,
} from './config.ts';
import { ContainerFleet } from './containers/container-fleet.ts';
import { Deliveries, type Delivery } from './deliveries.ts';
import { LocalEvents, type LocalListener } from './events.ts';
import type { Fault } from './fault.ts';
import { Faults, type InjectedFault } from './faults.ts';
import {
  type GatewayConfig,
  gatewayInfo,
  type LocalGatewayInfo,
  type ServedGateway,
} from './gateways/gateway.ts';
import { GatewayService } from './gateways/gateway-service.ts';
import { RateLimit } from './invocations/rate-limit.ts';
import { Newest } from './newest.ts';
import { createOAuth, type LocalOAuth, oauthHandle } from './oauth/oauth.ts';
import { OAUTH_PATH, OAuthServer } from './oauth/oauth-server.ts';
import type { Platform, ServedRuntime } from './platform.ts';
import type { RequestRecord } from './request-log.ts';
import { ControlPlane } from './services/control-plane.ts';
import { DataPlane } from './services/data-plane.ts';
import type { AwsService } from './services/service.ts';
import { type LocalSso, Sso } from './services/sso/sso.ts';
import { Sts } from './services/sts.ts';
import type { MicroVmRecord } from './sessions/microvm-record.ts';
import type { RuntimeSession } from './sessions/runtime-session.ts';
import type { SessionRecord } from './sessions/session-record.ts';
import { SessionTable } from './sessions/session-table.ts';
import { AccessKeys } from './signatures/access-keys.ts';
import { SigV4Verifier } from './signatures/sigv4-verifier.ts';

const HOST = '127.0.0.1';
const CLOSE_GRACE_MS = 1000;
const UNTIL_MS = 10_000;
const KEEP_ALIVE_MS = 60_000;
const REQUEST_LIMIT = 2000;
const MICROVM_LIMIT = 10_000;

/** A connection to a container that has been idle for longer than this may be closed over there. */
const CONTAINER_IDLE_MS = 1500;

export interface LocalRuntimeOptions {
  /** Default: the system's. Signatures, timeouts and lifetimes go by it. */
  readonly clock?: Clock;
  /** How many of the newest requests are kept. Default 2000. */
  readonly requestLimit?: number;
  /** How many of the newest deliveries are kept, with their bodies. Default 0. */
  readonly deliveryLimit?: number;
  /** How many of the newest microVMs are kept. Default 10,000. */
  readonly microVmLimit?: number;
  readonly listener?: LocalListener;
}

interface LocalRuntimeInfo {
  readonly name: string;
  readonly arn: string;
  readonly runtimeId: string;
  readonly protocol: 'MCP' | 'HTTP';
  readonly sessions: 'stateless' | 'stateful' | undefined;
  readonly authorizer: 'IAM' | 'JWT';
  /** The full address of an invocation. */
  readonly invocationUrl: string;
}

/** AgentCore on this machine, with what its clients sign in by, on one loopback port. */
export interface LocalRuntime {
  /** `http://127.0.0.1:PORT`, the endpoint of every service. */
  readonly url: string;
  readonly region: string;
  readonly account: string;
  readonly runtimes: readonly LocalRuntimeInfo[];
  /** @throws {AgentCoreError} `usage` where no runtime has this name. */
  runtime(name: string): LocalRuntimeInfo;
  readonly gateways: readonly LocalGatewayInfo[];
  /** @throws {AgentCoreError} `usage` where no gateway has this name. */
  gateway(name: string): LocalGatewayInfo;
  readonly oauth: LocalOAuth;
  /** The first access key of the configuration. */
  readonly credentials: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  /** What a client's environment needs to come here. */
  readonly env: Readonly<Record<string, string>>;
  /** All runtime sessions, live and stopped, of all runtimes or of one. */
  sessions(runtime?: string): SessionRecord[];
  /** The requests seen, oldest first. Live: it grows, and entries change until they are answered. */
  readonly requests: readonly RequestRecord[];
  /**
   * What containers were given, oldest first. Live, and empty without a `deliveryLimit`. A request
   * that an earlier answer of the platform kept from its container is not among them.
   */
  readonly deliveries: readonly Delivery[];
  /** Every microVM that ever served a session, oldest first, with how it ended. Live. */
  readonly microVms: readonly MicroVmRecord[];
  /** Container processes that are there now: starting, waiting warm, serving and ending. */
  readonly containers: number;
  /** Whether the configuration has IAM Identity Center. */
  readonly hasSso: boolean;
  /**
   * IAM Identity Center.
   *
   * @throws {AgentCoreError} `usage` where the configuration has none.
   */
  readonly sso: LocalSso;
  readonly faults: {
    inject(fault: Fault): InjectedFault;
    clear(): void;
  };
  /** Replaces the container of a session, by runtime or MCP session id. Resolves when it serves. */
  restartContainer(sessionId: string): Promise<void>;
  /** Ends the microVM of a session at once, as a crash of the host would. Resolves when it is gone. */
  killMicroVm(sessionId: string): Promise<void>;
  /** From now on the clock here is ahead of the machine's by these seconds. */
  setClockSkew(seconds: number): void;
  /** Returns what takes the listener out again. */
  on(listener: LocalListener): () => void;
  /**
   * Resolves as soon as `holds` is true, which is asked now and after each event. Bounded by
   * `timeoutMs`, 10 s by default.
   */
  until(holds: () => boolean, what?: string, timeoutMs?: number): Promise<void>;
  /** Ends every container and the server. Resolves when all are gone, a few seconds at most. */
  close(): Promise<void>;
  /** Kills every container at once, for a process that is about to exit and can wait for nothing. */
  killNow(): void;
}

/**
 * Starts a local AgentCore.
 *
 * @throws {AgentCoreError} `config` where the configuration says what cannot be, `connection` where
 *   the port is not free.
 */
export async function startLocalRuntime(
  config: LocalConfig,
  options: LocalRuntimeOptions = {},
): Promise<LocalRuntime> {
  return startResolved(resolveConfig(config), options);
}

/** The same, of a configuration that has been read already. */
export async function startResolved(
  config: ResolvedConfig,
  options: LocalRuntimeOptions = {},
): Promise<LocalRuntime> {
  // The first, for it is the one that may be wrong.
  const faults = new Faults(config.runtimes);
  for (const fault of config.faults) faults.inject(fault);
  const clock = new SkewedClock(options.clock ?? systemClock, config.clockSkew * 1000);
  const events = new LocalEvents();
  if (options.listener) events.on(options.listener);
  const fleet = new ContainerFleet(config.account, clock, events);
  const keys = new AccessKeys(config, clock);
  const deliveries = new Deliveries(options.deliveryLimit ?? 0, clock);
  const microVms = new Newest<MicroVmRecord>(options.microVmLimit ?? MICROVM_LIMIT);
  const containerAgent = new Agent({ keepAlive: true, timeout: CONTAINER_IDLE_MS, noDelay: true });
  let url = '';
  const oauth = createOAuth(config.oauth, clock, () => `${url}${OAUTH_PATH}`);
  const serve = (runtime: RuntimeConfig): ServedRuntime => {
    const { maxInvocationsPerSecond, maxNewSessionsPerMinute } = runtime.switches;
    return {
      config: runtime,
      sessions: new SessionTable({ config: runtime, fleet, clock, events, microVms }),
      invocationRate: new RateLimit(maxInvocationsPerSecond, 1000, clock),
      newSessionRate: new RateLimit(maxNewSessionsPerMinute, 60_000, clock),
    };
  };
  const served = config.runtimes.map(serve);
  const gateways = config.gateways.map((gateway) => serveGateway(gateway, served, serve));
  const platform: Platform = {
    get url() {
      return url;
    },
    config,
    clock,
    events,
    keys,
    verifier: new SigV4Verifier(keys, clock),
    oauth,
    bearer: new BearerVerifier(oauth, clock),
    faults,
    deliveries,
    containerAgent,
    runtimes: served,
    gateways,
  };
  const sso = config.sso && new Sso(platform, config.sso);
  const services: readonly AwsService[] = [
    new DataPlane(platform),
    new ControlPlane(platform),
    new GatewayService(platform),
    new Sts(platform),
    new OAuthServer(platform),
    ...(sso?.services ?? []),
  ];
  const requests = new Newest<RequestRecord>(options.requestLimit ?? REQUEST_LIMIT);
  const server = createServer((request, response) => {
    // The time by which signatures are judged: clients set their clocks by it.
    response.setHeader('Date', new Date(clock.now()).toUTCString());
    const exchange = new HttpExchange(request, response, clock, (record) =>
      events.emit(() => ({ type: 'request', request: record })),
    );
    requests.add(exchange.record);
    void dispatch(exchange, services);
  });
  // A client that reuses a connection must not find it closed in that moment.
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.listen(config.port ?? 0, HOST);
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw new AgentCoreError(
      'connection',
      (cause as NodeJS.ErrnoException).code === 'EADDRINUSE'
        ? `Could not listen on ${HOST}:${config.port}: another program has this port. End it, or take another port; 0 is any free one`
        : `Could not listen on ${HOST}:${config.port ?? 0}: ${messageOf(cause)}`,
      { cause },
    );
  }
  await Promise.all(config.runtimes.map((runtime) => fleet.fillWarm(runtime)));

  const { port } = server.address() as AddressInfo;
  url = `http://${HOST}:${port}`;
  const runtimes = config.runtimes.map(
    ({ name, arn, runtimeId, protocol, sessions, authorizer }): LocalRuntimeInfo => ({
      name,
      arn,
      runtimeId,
      protocol,
      sessions,
      authorizer: authorizer === 'IAM' ? 'IAM' : 'JWT',
      invocationUrl: `${url}/runtimes/${encodeURIComponent(arn)}/invocations?qualifier=DEFAULT`,
    }),
  );
  const gatewayInfos = config.gateways.map((gateway) => gatewayInfo(url, gateway));
  const [key] = config.accessKeys;
  const ssoHandle = sso?.handle(url);
  let closing: Promise<void> | undefined;

  function sessionsOf(runtime?: string): RuntimeSession[] {
    const ofTargets = gateways.flatMap(({ targets }) => targets.map((target) => target.runtime));
    return [...new Set([...served, ...ofTargets])]
      .filter(({ config: { name } }) => runtime === undefined || name === runtime)
      .flatMap(({ sessions }) => sessions.all());
  }
  function sessionById(id: string): RuntimeSession {
    const found = sessionsOf().findLast(
      (session) => session.runtimeSessionId === id || session.mcpSessionId === id,
    );
    if (found) return found;
    throw new AgentCoreError('usage', `No runtime session has this id: ${id}`);
  }
  async function close(): Promise<void> {
    server.close();
    server.closeAllConnections();
    const sessions = sessionsOf();
    // Not awaited: one that still starts only ends with the fleet, which has a bound.
    for (const session of sessions) void session.stop('shutdown');
    await fleet.close(CLOSE_GRACE_MS);
    for (const session of sessions) session.dispose();
    containerAgent.destroy();
  }

  return {
    url,
    region: config.region,
    account: config.account,
    runtimes,
    runtime(name) {
      const found = runtimes.find((runtime) => runtime.name === name);
      if (found) return found;
      throw new AgentCoreError('usage', `No runtime has this name: ${name}`);
    },
    gateways: gatewayInfos,
    gateway(name) {
      const found = gatewayInfos.find((gateway) => gateway.name === name);
      if (found) return found;
      throw new AgentCoreError('usage', `No gateway has this name: ${name}`);
    },
    oauth: oauthHandle(oauth),
    setClockSkew(seconds) {
      clock.skewMs = seconds * 1000;
    },
    credentials: {
      accessKeyId: key.id,
      secretAccessKey: key.secret,
      ...(key.sessionToken !== undefined && { sessionToken: key.sessionToken }),
    },
    env: {
      AWS_ENDPOINT_URL: url,
      AWS_REGION: config.region,
      // What boto3 and version 1 of the AWS CLI read instead.
      AWS_DEFAULT_REGION: config.region,
      AWS_ACCESS_KEY_ID: key.id,
      AWS_SECRET_ACCESS_KEY: key.secret,
      ...(key.sessionToken !== undefined && { AWS_SESSION_TOKEN: key.sessionToken }),
    },
    sessions: (runtime) => sessionsOf(runtime).map((session) => session.record),
    requests: requests.items,
    deliveries: deliveries.all,
    microVms: microVms.items,
    get containers() {
      return fleet.size;
    },
    hasSso: ssoHandle !== undefined,
    get sso() {
      if (ssoHandle) return ssoHandle;
      throw new AgentCoreError('usage', 'The configuration has no sso section');
    },
    faults,
    async restartContainer(sessionId) {
      await sessionById(sessionId).restart();
    },
    async killMicroVm(sessionId) {
      await sessionById(sessionId).stop('microvm-killed');
    },
    on: (listener) => events.on(listener),
    until: (holds, what = 'the condition', timeoutMs = UNTIL_MS) =>
      events.until(holds, what, timeoutMs),
    close() {
      closing ??= close();
      return closing;
    },
    killNow: () => fleet.killNow(),
  };
}

/** A target is a runtime of the configuration, or one that only its gateway knows. */
function serveGateway(
  config: GatewayConfig,
  runtimes: readonly ServedRuntime[],
  serve: (runtime: RuntimeConfig) => ServedRuntime,
): ServedGateway {
  const targets = config.targets.flatMap(({ name, server }) => {
    if (typeof server !== 'string') return [{ name, runtime: serve(server) }];
    const runtime = runtimes.find((known) => known.config.name === server);
    return runtime ? [{ name, runtime }] : [];
  });
  return { config, targets };
}

async function dispatch(exchange: HttpExchange, services: readonly AwsService[]): Promise<void> {
  const foreign = foreignAnswer(exchange);
  if (foreign) {
    exchange.answer(foreign);
    return;
  }
  const service = services.find((candidate) => candidate.claims(exchange));
  if (!service) {
    exchange.answer(restAnswer(404, 'UnknownOperationException', 'Unknown operation'));
    return;
  }
  try {
    await service.handle(exchange);
  } catch (error) {
    exchange.answer(restAnswer(500, 'InternalServerException', messageOf(error)));
  }
}
