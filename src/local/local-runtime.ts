import { once } from 'node:events';
import { Agent, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AgentCoreError, getErrorMessage } from '../base/errors.ts';
import type { Fault } from './config/faults.ts';
import {
  type GatewayConfig,
  type LocalConfig,
  type ResolvedConfig,
  type RuntimeConfig,
  resolveConfig,
} from './config/schema.ts';
import { ContainerFleet } from './containers/container-fleet.ts';
import { type Clock, SkewedClock, systemClock } from './core/clock.ts';
import {
  LocalEvents,
  type LocalListener,
  type MicroVmRecord,
  type SessionRecord,
} from './core/events.ts';
import { Faults, type InjectedFault } from './core/fault-injector.ts';
import { Deliveries, type Delivery, Newest, type RequestRecord } from './core/history.ts';
import { createRestErrorResponse } from './http/errors.ts';
import { HttpExchange, rejectForeignRequest } from './http/exchange.ts';
import type { AwsService } from './http/service.ts';
import { AccessKeys } from './identity/access-keys.ts';
import { BearerVerifier } from './identity/bearer-verifier.ts';
import { SigV4Verifier } from './identity/sigv4-verifier.ts';
import { createOAuth, createOAuthHandle, type LocalOAuth } from './identity/token-issuer.ts';
import { RateLimit, type ServedRuntime } from './invocations/invocation.ts';
import { ControlPlane } from './services/control-plane.ts';
import { DataPlane } from './services/data-plane.ts';
import { GatewayService } from './services/gateway.ts';
import {
  type LocalGatewayInfo,
  type ServedGateway,
  toGatewayInfo,
} from './services/gateway-targets.ts';
import { OAUTH_PATH, OAuthServer } from './services/oauth-server.ts';
import type { Platform } from './services/platform.ts';
import { type LocalSso, Sso } from './services/sso/sso.ts';
import { Sts } from './services/sts.ts';
import { type RuntimeSession, SessionTable } from './sessions/runtime-session.ts';

// A local AgentCore: all services on one port, and the interface for tests and for the program.

const HOST = '127.0.0.1';

const CLOSE_GRACE_MS = 1000;

const UNTIL_MS = 60_000;

const KEEP_ALIVE_MS = 60_000;

const REQUEST_LIMIT = 2000;

const MICROVM_LIMIT = 10_000;

/**
 * Idle timeout of connections to a container. It is shorter than usual, because the container may
 * close them itself.
 */
const CONTAINER_IDLE_MS = 1500;

export interface LocalRuntimeOptions {
  /** The clock for signatures, timeouts and lifetimes. Default: the system clock. */
  readonly clock?: Clock;
  /** Maximum number of requests in memory. Default: 2000. */
  readonly requestLimit?: number;
  /** Maximum number of deliveries in memory, with their bodies. Default: 0. */
  readonly deliveryLimit?: number;
  /** Maximum number of microVMs in memory. Default: 10,000. */
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
  /** The complete URL of an invocation. */
  readonly invocationUrl: string;
}

/** A running local AgentCore: AgentCore and its authentication services on one loopback port. */
export interface LocalRuntime {
  /** `http://127.0.0.1:PORT`, the endpoint of all services. */
  readonly url: string;
  readonly region: string;
  readonly account: string;
  readonly runtimes: readonly LocalRuntimeInfo[];
  /**
   * Returns a runtime.
   *
   * @throws {AgentCoreError} `usage` if there is none with this name.
   */
  runtime(name: string): LocalRuntimeInfo;
  readonly gateways: readonly LocalGatewayInfo[];
  /**
   * Returns a gateway.
   *
   * @throws {AgentCoreError} `usage` if there is none with this name.
   */
  gateway(name: string): LocalGatewayInfo;
  readonly oauth: LocalOAuth;
  /** The first access key of the configuration. */
  readonly credentials: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  /** Environment variables for a client. */
  readonly env: Readonly<Record<string, string>>;
  /**
   * Returns all runtime sessions, including stopped ones. With `runtime`, only those of one
   * runtime.
   */
  sessions(runtime?: string): SessionRecord[];
  /**
   * Received requests, oldest first. The array is live, and a record changes until its response is
   * complete.
   */
  readonly requests: readonly RequestRecord[];
  /**
   * Requests that reached a container, oldest first. The array is live. It is empty without a
   * `deliveryLimit`. If the platform answered a request itself, the request is not included.
   */
  readonly deliveries: readonly Delivery[];
  /** All microVMs of sessions, oldest first, including ended ones. The array is live. */
  readonly microVms: readonly MicroVmRecord[];
  /** Number of container processes, in all states. */
  readonly containers: number;
  /** Whether the configuration has an `sso` section. */
  readonly hasSso: boolean;
  /**
   * IAM Identity Center.
   *
   * @throws {AgentCoreError} `usage` if the configuration has no `sso` section.
   */
  readonly sso: LocalSso;
  readonly faults: {
    inject(fault: Fault): InjectedFault;
    clear(): void;
  };
  /**
   * Replaces the container of a session. Resolves when the new container is ready.
   *
   * @param sessionId A runtime session id or an `Mcp-Session-Id`.
   * @throws {AgentCoreError} `usage` if there is no such session.
   */
  restartContainer(sessionId: string): Promise<void>;
  /**
   * Kills the microVM of a session immediately, as after a crash of the host. Resolves when it has
   * exited.
   *
   * @param sessionId A runtime session id or an `Mcp-Session-Id`.
   * @throws {AgentCoreError} `usage` if there is no such session.
   */
  killMicroVm(sessionId: string): Promise<void>;
  /** Sets the offset of this clock from the system clock, in seconds. */
  setClockSkew(seconds: number): void;
  /** Adds a listener. Returns a function to remove it. */
  on(listener: LocalListener): () => void;
  /**
   * Resolves when `holds` returns true. It is called now and after each event.
   *
   * @param what Describes the condition, for the error.
   * @param timeoutMs Default: 60 s.
   * @throws {AgentCoreError} `timeout`
   */
  until(holds: () => boolean, what?: string, timeoutMs?: number): Promise<void>;
  /** Stops all containers and the server. Resolves when all have exited, within a few seconds. */
  close(): Promise<void>;
  /** Kills all containers. Synchronous, for the exit of this process. */
  killNow(): void;
}

/**
 * Starts a local AgentCore from a configuration with defaults.
 *
 * @throws {AgentCoreError} `config` if the configuration is invalid, `connection` if the port is in
 *   use.
 */
export async function startLocalRuntime(
  config: LocalConfig,
  options: LocalRuntimeOptions = {},
): Promise<LocalRuntime> {
  return startResolved(resolveConfig(config), options);
}

/**
 * Starts a local AgentCore from a resolved configuration. Throws like {@link startLocalRuntime}.
 */
export async function startResolved(
  config: ResolvedConfig,
  options: LocalRuntimeOptions = {},
): Promise<LocalRuntime> {
  // Inject the faults first, because an invalid one throws.
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
    // The time by which signatures are checked. Clients correct their clocks by this header.
    response.setHeader('Date', new Date(clock.now()).toUTCString());
    const exchange = new HttpExchange(request, response, clock, (record) =>
      events.emit(() => ({ type: 'request', request: record })),
    );
    requests.add(exchange.record);
    void dispatch(exchange, services);
  });
  // With a short timeout, the server could close a connection while a client reuses it.
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.listen(config.port ?? 0, HOST);
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw new AgentCoreError(
      'connection',
      (cause as NodeJS.ErrnoException).code === 'EADDRINUSE'
        ? `Could not listen on ${HOST}:${config.port}: another program has this port. End it, or take another port; 0 is any free one`
        : `Could not listen on ${HOST}:${config.port ?? 0}: ${getErrorMessage(cause)}`,
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
  const gatewayInfos = config.gateways.map((gateway) => toGatewayInfo(url, gateway));
  const [key] = config.accessKeys;
  const ssoHandle = sso?.handle(url);
  let closing: Promise<void> | undefined;

  function getSessions(runtime?: string): RuntimeSession[] {
    const ofTargets = gateways.flatMap(({ targets }) => targets.map((target) => target.runtime));
    return [...new Set([...served, ...ofTargets])]
      .filter(({ config: { name } }) => runtime === undefined || name === runtime)
      .flatMap(({ sessions }) => sessions.all());
  }
  function sessionById(id: string): RuntimeSession {
    const found = getSessions().findLast(
      (session) => session.runtimeSessionId === id || session.mcpSessionId === id,
    );
    if (found) return found;
    throw new AgentCoreError('usage', `No runtime session has this id: ${id}`);
  }
  async function close(): Promise<void> {
    server.close();
    server.closeAllConnections();
    const sessions = getSessions();
    // Do not wait for sessions that are starting. `fleet.close` ends them within its time limit.
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
    oauth: createOAuthHandle(oauth),
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
      // For boto3 and version 1 of the AWS CLI.
      AWS_DEFAULT_REGION: config.region,
      AWS_ACCESS_KEY_ID: key.id,
      AWS_SECRET_ACCESS_KEY: key.secret,
      ...(key.sessionToken !== undefined && { AWS_SESSION_TOKEN: key.sessionToken }),
    },
    sessions: (runtime) => getSessions(runtime).map((session) => session.record),
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

/**
 * Resolves the targets of a gateway. A target is a runtime, or a server that belongs to this
 * gateway only.
 */
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
  const foreign = rejectForeignRequest(exchange);
  if (foreign) {
    exchange.answer(foreign);
    return;
  }
  const service = services.find((candidate) => candidate.claims(exchange));
  if (!service) {
    exchange.answer(createRestErrorResponse(404, 'UnknownOperationException', 'Unknown operation'));
    return;
  }
  try {
    await service.handle(exchange);
  } catch (error) {
    exchange.answer(
      createRestErrorResponse(500, 'InternalServerException', getErrorMessage(error)),
    );
  }
}
