import { REST_DIALECT } from '../answers/dialect.ts';
import type { HttpExchange, RequestBody } from '../answers/http-exchange.ts';
import type { PlatformError } from '../answers/platform-error.ts';
import type { RuntimeConfig } from '../config.ts';
import { CONTROL_OPERATIONS } from '../fault.ts';
import { answerWithFault, isAnswerFault, noteFault } from '../invocations/fault-answers.ts';
import { RateLimit } from '../invocations/rate-limit.ts';
import type { Platform } from '../platform.ts';
import { pageOf } from './pages.ts';
import { denial } from './permissions.ts';
import { descriptionOf, endpointOf, summaryOf, VERSION } from './runtime-descriptions.ts';
import type { AwsService } from './service.ts';
import { checkSignature } from './signature-check.ts';

const MAX_BODY_BYTES = 100_000;
const PATH = /^\/runtimes(?:\/([^/]+)(?:\/(runtime-endpoints|versions))?)?\/?$/;
const RUNTIME_VERSION = /^[1-9]\d{0,4}$/;

type Operation = (typeof CONTROL_OPERATIONS)[number];

interface Route {
  readonly operation: Operation;
  /** Absent in ListAgentRuntimes. */
  readonly runtimeId: string | undefined;
}

type Outcome =
  | { readonly ok: true; readonly result: object }
  | { readonly ok: false; readonly error: PlatformError };

/** What AgentCore's control plane tells of the runtimes. It changes none: the configuration does. */
export class ControlPlane implements AwsService {
  readonly #platform: Platform;
  readonly #rates: ReadonlyMap<Operation, RateLimit>;
  /** The runtimes are as old as the service. */
  readonly #since: string;

  constructor(platform: Platform) {
    this.#platform = platform;
    const { clock, config } = platform;
    const { maxGetsPerSecond, maxListsPerSecond } = config.switches;
    this.#since = new Date(clock.now()).toISOString();
    this.#rates = new Map(
      CONTROL_OPERATIONS.map((operation) => {
        const limit = operation === 'GetAgentRuntime' ? maxGetsPerSecond : maxListsPerSecond;
        return [operation, new RateLimit(limit, 1000, clock)];
      }),
    );
  }

  claims(exchange: HttpExchange): boolean {
    return routeOf(exchange) !== undefined;
  }

  async handle(exchange: HttpExchange): Promise<void> {
    const route = routeOf(exchange);
    if (!route) return;
    const { operation, runtimeId } = route;
    const runtime = this.#platform.config.runtimes.find((known) => known.runtimeId === runtimeId);
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
    if (!this.#admit(exchange, body, operation, runtime)) return;
    const { faults } = this.#platform;
    const fault = faults.take({ operation: 'control', runtime: runtime?.name, method: operation });
    noteFault(this.#platform, exchange.record, fault);
    if (fault && isAnswerFault(fault)) {
      answerWithFault(exchange, fault, REST_DIALECT);
      return;
    }
    if (!this.#rates.get(operation)?.admit()) {
      exchange.answer(REST_DIALECT.error({ kind: 'throttled', message: 'Rate exceeded' }));
      return;
    }
    const outcome = this.#outcome(exchange, route, runtime);
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

  /** Checks signature and permissions, and answers where they do not do. */
  #admit(
    exchange: HttpExchange,
    body: RequestBody,
    operation: Operation,
    runtime: RuntimeConfig | undefined,
  ): boolean {
    const { region, partition, account } = this.#platform.config;
    const verification = checkSignature(this.#platform, exchange, body, 'bedrock-agentcore', [
      region,
    ]);
    if (!verification.ok) {
      exchange.answer(REST_DIALECT.signature(verification.fault, verification.message));
      return false;
    }
    const anyRuntime = `arn:${partition}:bedrock-agentcore:${region}:${account}:runtime/*`;
    const refusal = denial(
      verification.principal,
      [`bedrock-agentcore:${operation}`],
      runtime?.arn ?? anyRuntime,
    );
    if (refusal) exchange.answer(REST_DIALECT.error(refusal));
    return refusal === undefined;
  }

  #outcome(
    exchange: HttpExchange,
    { operation, runtimeId }: Route,
    runtime: RuntimeConfig | undefined,
  ): Outcome {
    const { config } = this.#platform;
    const since = this.#since;
    if (operation === 'ListAgentRuntimes') {
      const summaries = config.runtimes.map((known) => summaryOf(known, since));
      return listed(exchange, 'agentRuntimes', operation, summaries);
    }
    if (!runtime) return notFound(`Agent '${runtimeId}'`);
    switch (operation) {
      case 'GetAgentRuntime': {
        const version = exchange.parameter('version') ?? VERSION;
        if (!RUNTIME_VERSION.test(version)) {
          const message = `Value '${version}' at 'agentRuntimeVersion' failed to satisfy constraint: Member must satisfy regular expression pattern: ([1-9][0-9]{0,4})`;
          return { ok: false, error: { kind: 'validation', message } };
        }
        if (version !== VERSION) return notFound(`Version ${version} of agent '${runtimeId}'`);
        return { ok: true, result: descriptionOf(runtime, config, since) };
      }
      case 'ListAgentRuntimeEndpoints': {
        const endpoints = runtime.endpoints.map((name) => endpointOf(runtime, name, since));
        return listed(exchange, 'runtimeEndpoints', `${operation} ${runtimeId}`, endpoints);
      }
      case 'ListAgentRuntimeVersions': {
        const versions = [summaryOf(runtime, since)];
        return listed(exchange, 'agentRuntimes', `${operation} ${runtimeId}`, versions);
      }
    }
  }
}

function routeOf({ request: { method }, path }: HttpExchange): Route | undefined {
  const match = PATH.exec(path);
  if (!match) return undefined;
  const [, runtimeId, list] = match;
  if (runtimeId === undefined || list !== undefined) {
    return method === 'POST' ? { operation: listOperation(list), runtimeId } : undefined;
  }
  return method === 'GET' ? { operation: 'GetAgentRuntime', runtimeId } : undefined;
}

function listOperation(list: string | undefined): Operation {
  if (list === undefined) return 'ListAgentRuntimes';
  return list === 'versions' ? 'ListAgentRuntimeVersions' : 'ListAgentRuntimeEndpoints';
}

function listed(
  exchange: HttpExchange,
  field: string,
  list: string,
  all: readonly object[],
): Outcome {
  const page = pageOf(all, list, exchange.parameter('maxResults'), exchange.parameter('nextToken'));
  if (!page.ok) return page;
  const { items, nextToken } = page;
  return { ok: true, result: { [field]: items, nextToken } };
}

function notFound(what: string): Outcome {
  const message = `${what} was not found. Please check the agent ID and try again.`;
  return { ok: false, error: { kind: 'not-found', message } };
}
