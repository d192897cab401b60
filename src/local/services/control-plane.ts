import { CONTROL_OPERATIONS } from '../config/faults.ts';
import {
  describeJwtAuthorizer,
  type EndpointConfig,
  type GatewayConfig,
  type ResolvedConfig,
  type RuntimeConfig,
} from '../config/schema.ts';
import type { PlatformError } from '../http/errors.ts';
import { type HttpExchange, REST_DIALECT, type RequestBody } from '../http/exchange.ts';
import { type AwsService, decodeLabel, paginate } from '../http/service.ts';
import { findDenial } from '../identity/access-keys.ts';
import { recordDenial } from '../identity/bearer-verifier.ts';
import { checkSignature } from '../identity/sigv4-verifier.ts';
import { answerWithFault, isAnswerFault, recordFault } from '../invocations/fault-effects.ts';
import { RateLimit } from '../invocations/invocation.ts';
import { describeGateway, describeTarget, summarizeGateway, summarizeTarget } from './gateway.ts';
import type { Platform } from './platform.ts';

const MAX_BODY_BYTES = 100_000;

/** Maximum page sizes. Source: the API reference. */
const MAX_RUNTIMES = 100;

const MAX_GATEWAYS = 1000;

const PATH = /^\/runtimes(?:\/([^/]+)(?:\/(runtime-endpoints|versions))?)?\/?$/;

const ENDPOINT_PATH = /^\/runtimes\/([^/]+)\/runtime-endpoints\/([^/]+)\/?$/;

const GATEWAY_PATH = /^\/gateways(?:\/([^/]+)(?:\/(targets)(?:\/([^/]+))?)?)?\/?$/;

const TAGS_PATH = /^\/tags\/([^/]+)\/?$/;

const RUNTIME_VERSION = /^[1-9]\d{0,4}$/;

type Operation = (typeof CONTROL_OPERATIONS)[number];

interface Route {
  readonly operation: Operation;
  /** The id or ARN of the runtime or gateway. Absent for lists of all. */
  readonly id: string | undefined;
  /** The name of an endpoint or the id of a target. */
  readonly part?: string | undefined;
}

type Outcome =
  | { readonly ok: true; readonly result: object }
  | { readonly ok: false; readonly error: PlatformError };

/**
 * The control plane of AgentCore. It is read-only, because the configuration defines the runtimes
 * and gateways.
 */
export class ControlPlane implements AwsService {
  readonly #platform: Platform;
  readonly #rates: ReadonlyMap<Operation, RateLimit>;
  /** Creation and update time of all resources. It is the start of the local runtime. */
  readonly #since: string;

  constructor(platform: Platform) {
    this.#platform = platform;
    const { clock, config } = platform;
    const { maxGetsPerSecond, maxListsPerSecond } = config.switches;
    this.#since = new Date(clock.now()).toISOString();
    this.#rates = new Map(
      CONTROL_OPERATIONS.map((operation) => {
        const limit = operation.startsWith('Get') ? maxGetsPerSecond : maxListsPerSecond;
        return [operation, new RateLimit(limit, 1000, clock)];
      }),
    );
  }

  claims(exchange: HttpExchange): boolean {
    return findRoute(exchange) !== undefined;
  }

  async handle(exchange: HttpExchange): Promise<void> {
    const route = findRoute(exchange);
    if (!route) return;
    const { operation, id } = route;
    const { runtimes, gateways } = this.#platform.config;
    const runtime = runtimes.find(({ runtimeId, arn }) => runtimeId === id || arn === id);
    const gateway = gateways.find(({ gatewayId, arn }) => gatewayId === id || arn === id);
    exchange.record.operation = 'control';
    exchange.record.rpcMethod = operation;
    exchange.record.runtime = runtime?.name;
    const body = await exchange.readBody(MAX_BODY_BYTES);
    if (body === 'disconnected') return;
    if (body === 'too-large') {
      const message = 'The request body exceeds the maximum size';
      exchange.answer(REST_DIALECT.error({ kind: 'validation', message }));
      return;
    }
    const admitted = this.#admit(exchange, body, operation, runtime ?? gateway);
    if (!admitted) return;
    const { faults } = this.#platform;
    const fault = faults.take({ operation: 'control', runtime: runtime?.name, method: operation });
    recordFault(this.#platform, exchange.record, fault);
    if (fault && isAnswerFault(fault)) {
      answerWithFault(exchange, fault, REST_DIALECT);
      return;
    }
    if (!this.#rates.get(operation)?.admit()) {
      exchange.answer(REST_DIALECT.error({ kind: 'throttled', message: 'Rate exceeded' }));
      return;
    }
    const isOfGateway = operation.includes('Gateway') || (gateway && !runtime);
    const outcome = isOfGateway
      ? this.#gatewayOutcome(exchange, route, gateway)
      : this.#outcome(exchange, route, runtime);
    exchange.answer(
      outcome.ok
        ? {
            status: 200,
            headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify(outcome.result),
          }
        : REST_DIALECT.error(outcome.error),
    );
  }

  /**
   * Checks the signature and the permissions. If a check fails, sends the error and returns false.
   */
  #admit(
    exchange: HttpExchange,
    body: RequestBody,
    operation: Operation,
    named: RuntimeConfig | GatewayConfig | undefined,
  ): boolean {
    const { region, partition, account } = this.#platform.config;
    const verification = checkSignature(this.#platform, exchange, body, 'bedrock-agentcore', [
      region,
    ]);
    if (!verification.ok) {
      exchange.answer(REST_DIALECT.signature(verification.fault, verification.message));
      return false;
    }
    const kind = operation.includes('Gateway') ? 'gateway' : 'runtime';
    const any = `arn:${partition}:bedrock-agentcore:${region}:${account}:${kind}/*`;
    const refusal = findDenial(verification.principal, [`bedrock-agentcore:${operation}`], {
      account,
      arn: named?.arn ?? any,
    });
    if (refusal) {
      recordDenial(this.#platform, exchange, refusal.message);
      exchange.answer(REST_DIALECT.error(refusal));
    }
    return refusal === undefined;
  }

  #outcome(
    exchange: HttpExchange,
    { operation, id, part }: Route,
    runtime: RuntimeConfig | undefined,
  ): Outcome {
    const { config, oauth } = this.#platform;
    const since = this.#since;
    if (operation === 'ListAgentRuntimes') {
      const summaries = config.runtimes.map((known) => summarizeRuntime(known, since));
      return createListOutcome(exchange, 'agentRuntimes', operation, summaries);
    }
    if (!runtime) return createNotFoundOutcome(`Agent '${id}'`);
    switch (operation) {
      // Local resources have no tags.
      case 'ListTagsForResource':
        return { ok: true, result: { tags: {} } };
      case 'GetAgentRuntimeEndpoint': {
        const endpoint = runtime.endpoints.find(({ name }) => name === part);
        if (!endpoint) return createNotFoundOutcome(`Endpoint '${part}' of agent '${id}'`);
        return { ok: true, result: describeEndpoint(runtime, endpoint, since) };
      }
      case 'GetAgentRuntime': {
        const version = exchange.parameter('version') ?? String(runtime.version);
        if (!RUNTIME_VERSION.test(version)) {
          const message = `Value '${version}' at 'agentRuntimeVersion' failed to satisfy constraint: Member must satisfy regular expression pattern: ([1-9][0-9]{0,4})`;
          return { ok: false, error: { kind: 'validation', message } };
        }
        if (Number(version) > runtime.version) {
          return createNotFoundOutcome(`Version ${version} of agent '${id}'`);
        }
        const told = describeRuntime(runtime, version, config, { since, issuer: oauth.issuerUrl });
        return { ok: true, result: told };
      }
      case 'ListAgentRuntimeEndpoints': {
        const endpoints = runtime.endpoints.map((endpoint) =>
          describeEndpoint(runtime, endpoint, since),
        );
        return createListOutcome(exchange, 'runtimeEndpoints', `${operation} ${id}`, endpoints);
      }
      default: {
        const versions = Array.from({ length: runtime.version }, (_, older) =>
          summarizeRuntime(runtime, since, String(runtime.version - older)),
        );
        return createListOutcome(exchange, 'agentRuntimes', `${operation} ${id}`, versions);
      }
    }
  }

  #gatewayOutcome(
    exchange: HttpExchange,
    { operation, id, part }: Route,
    gateway: GatewayConfig | undefined,
  ): Outcome {
    const { config, url, oauth } = this.#platform;
    const since = this.#since;
    if (operation === 'ListGateways') {
      const summaries = config.gateways.map((known) => summarizeGateway(known, since));
      return createListOutcome(exchange, 'items', operation, summaries);
    }
    if (!gateway) return createNotFoundOutcome(`Gateway '${id}'`);
    if (operation === 'GetGateway') {
      const urls = { base: url, issuer: oauth.issuerUrl };
      return { ok: true, result: describeGateway(gateway, config, since, urls) };
    }
    if (operation === 'ListTagsForResource') return { ok: true, result: { tags: {} } };
    if (operation === 'GetGatewayTarget') {
      const target = gateway.targets.find(({ targetId }) => targetId === part);
      if (!target) return createNotFoundOutcome(`Target '${part}' of gateway '${id}'`);
      return { ok: true, result: describeTarget(target, gateway, since) };
    }
    const targets = gateway.targets.map((target) => summarizeTarget(target, since));
    return createListOutcome(exchange, 'items', `${operation} ${gateway.gatewayId}`, targets);
  }
}

function findRoute({ request: { method }, path }: HttpExchange): Route | undefined {
  const match = PATH.exec(path);
  if (!match) return method === 'GET' ? (findPartRoute(path) ?? findGatewayRoute(path)) : undefined;
  const [, id, list] = match;
  if (id === undefined || list !== undefined) {
    return method === 'POST' ? { operation: listOperation(list), id } : undefined;
  }
  return method === 'GET' ? { operation: 'GetAgentRuntime', id } : undefined;
}

function findPartRoute(path: string): Route | undefined {
  const [, resource] = TAGS_PATH.exec(path) ?? [];
  if (resource !== undefined) {
    return {
      operation: 'ListTagsForResource',
      id: decodeLabel(resource).split('/runtime-endpoint/')[0],
    };
  }
  const [, id, endpoint] = ENDPOINT_PATH.exec(path) ?? [];
  if (id === undefined || endpoint === undefined) return undefined;
  return { operation: 'GetAgentRuntimeEndpoint', id, part: decodeLabel(endpoint) };
}

function findGatewayRoute(path: string): Route | undefined {
  const match = GATEWAY_PATH.exec(path);
  if (!match) return undefined;
  const [, label, list, target] = match;
  if (label === undefined) return { operation: 'ListGateways', id: undefined };
  const id = decodeLabel(label);
  if (target !== undefined) {
    return { operation: 'GetGatewayTarget', id, part: decodeLabel(target) };
  }
  return { operation: list === undefined ? 'GetGateway' : 'ListGatewayTargets', id };
}

function listOperation(list: string | undefined): Operation {
  if (list === undefined) return 'ListAgentRuntimes';
  return list === 'versions' ? 'ListAgentRuntimeVersions' : 'ListAgentRuntimeEndpoints';
}

function createListOutcome(
  exchange: HttpExchange,
  field: string,
  list: string,
  all: readonly object[],
): Outcome {
  const page = paginate(all, list, {
    maxResults: exchange.parameter('maxResults'),
    nextToken: exchange.parameter('nextToken'),
    limit: list.includes('Gateway') ? MAX_GATEWAYS : MAX_RUNTIMES,
  });
  if (!page.ok) return page;
  const { items, nextToken } = page;
  return { ok: true, result: { [field]: items, nextToken } };
}

function createNotFoundOutcome(what: string): Outcome {
  const message = `${what} was not found. Please check the ID and try again.`;
  return { ok: false, error: { kind: 'not-found', message } };
}

const DESCRIPTION = 'Served by the local AgentCore';

/** Describes a version of a runtime in the format of lists, without protocol and authorizer. */
function summarizeRuntime(
  runtime: RuntimeConfig,
  since: string,
  version = String(runtime.version),
): object {
  return {
    agentRuntimeArn: runtime.arn,
    agentRuntimeId: runtime.runtimeId,
    agentRuntimeVersion: version,
    agentRuntimeName: runtime.name,
    description: DESCRIPTION,
    lastUpdatedAt: since,
    status: 'READY',
  };
}

/**
 * Describes a version of a runtime in the format of GetAgentRuntime. All versions have the same
 * configuration. Omits the command and the environment, because they can contain secrets.
 */
function describeRuntime(
  runtime: RuntimeConfig,
  version: string,
  { partition, account }: ResolvedConfig,
  { since, issuer }: { readonly since: string; readonly issuer: string },
): object {
  const { requestHeaderAllowlist, authorizer } = runtime;
  return {
    ...summarizeRuntime(runtime, since, version),
    createdAt: since,
    roleArn: `arn:${partition}:iam::${account}:role/AgentCoreLocal-${runtime.name}`,
    lifecycleConfiguration: {
      // AWS has whole seconds, but local timeouts can be fractions.
      idleRuntimeSessionTimeout: Math.ceil(runtime.idleTimeout),
      maxLifetime: Math.ceil(runtime.maxLifetime),
    },
    networkConfiguration: { networkMode: 'PUBLIC' },
    protocolConfiguration: { serverProtocol: runtime.protocol },
    // Absent if callers use SigV4.
    ...(authorizer !== 'IAM' && {
      authorizerConfiguration: describeJwtAuthorizer(authorizer, issuer),
    }),
    ...(requestHeaderAllowlist.length > 0 && {
      requestHeaderConfiguration: { requestHeaderAllowlist },
    }),
  };
}

/** Describes an endpoint of a runtime. Its name is the qualifier of an invocation. */
function describeEndpoint(
  runtime: RuntimeConfig,
  { name, version }: EndpointConfig,
  since: string,
): object {
  return {
    name,
    id: name,
    liveVersion: String(version),
    agentRuntimeEndpointArn: `${runtime.arn}/runtime-endpoint/${name}`,
    agentRuntimeArn: runtime.arn,
    status: 'READY',
    createdAt: since,
    lastUpdatedAt: since,
  };
}
