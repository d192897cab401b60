import type {
  AgentRuntime,
  AgentRuntimeEndpoint,
  AuthorizerConfiguration,
  BedrockAgentCoreControlClient,
  GatewaySummary,
  GetAgentRuntimeCommandOutput,
  GetGatewayCommandOutput,
} from '@aws-sdk/client-bedrock-agentcore-control';
import { mapConcurrent } from '../../base/async.ts';
import type { Network } from '../../http/network.ts';
import { getPartition } from '../arn.ts';
import { createSdkRequestHandler } from '../sdk-client.ts';
import type { Credentials } from '../sigv4.ts';
import type {
  DiscoveredEndpoint,
  DiscoveredGateway,
  DiscoveredJwt,
  DiscoveredRuntime,
  DiscoveryScope,
  Problem,
} from './model.ts';
import { toProblem } from './problems.ts';
import type { RateLimiter } from './rate-limit.ts';

const PAGE_SIZE = 100;

const CONNECT_TIMEOUT_MS = 5_000;

const RESPONSE_TIMEOUT_MS = 15_000;

interface ReaderOptions {
  readonly endpoint: URL;
  readonly region: string;
  readonly account: string;
  readonly credentials: Credentials;
  readonly network: Network;
  readonly rateLimiter: RateLimiter;
  readonly signal: AbortSignal;
}

type Sdk = typeof import('@aws-sdk/client-bedrock-agentcore-control');

/**
 * Reads runtimes and gateways of one account and region from the control plane, within the rate
 * limits. Methods throw the SDK client's errors, or the signal's reason.
 */
export class ControlPlaneReader {
  readonly #sdk: Sdk;
  readonly #client: BedrockAgentCoreControlClient;
  readonly #abort: { readonly abortSignal: AbortSignal };
  readonly #close: () => void;

  /** Loads the SDK and creates its client. */
  static async open(options: ReaderOptions): Promise<ControlPlaneReader> {
    const { endpoint, region, account, credentials, network, rateLimiter, signal } = options;
    const agent = await network.agentFor(endpoint);
    const sdk = await import('@aws-sdk/client-bedrock-agentcore-control');
    const client = new sdk.BedrockAgentCoreControlClient({
      endpoint: endpoint.href,
      region,
      credentials,
      // The rate limiter retries.
      maxAttempts: 1,
      requestHandler: createSdkRequestHandler(agent, {
        connect: CONNECT_TIMEOUT_MS,
        read: RESPONSE_TIMEOUT_MS,
      }),
    });
    const scope = `${account} ${region} ${endpoint.origin}`;
    client.middlewareStack.add(
      (next, { commandName = '' }) =>
        (call) =>
          rateLimiter.call(scope, commandName.replace(/Command$/, ''), signal, () => next(call)),
      { step: 'initialize', name: 'rateLimiter' },
    );
    return new ControlPlaneReader(sdk, client, signal, () => {
      client.destroy();
      agent.destroy();
    });
  }

  private constructor(
    sdk: Sdk,
    client: BedrockAgentCoreControlClient,
    abortSignal: AbortSignal,
    close: () => void,
  ) {
    this.#sdk = sdk;
    this.#client = client;
    this.#abort = { abortSignal };
    this.#close = close;
  }

  /** Yields the pages of ListAgentRuntimes. */
  async *runtimes(): AsyncGenerator<readonly AgentRuntime[]> {
    const pages = this.#sdk.paginateListAgentRuntimes(this.#paging, {}, this.#abort);
    for await (const { agentRuntimes = [] } of pages) yield agentRuntimes;
  }

  runtime(agentRuntimeId: string): Promise<GetAgentRuntimeCommandOutput> {
    return this.#client.send(new this.#sdk.GetAgentRuntimeCommand({ agentRuntimeId }), this.#abort);
  }

  async endpoints(agentRuntimeId: string): Promise<readonly AgentRuntimeEndpoint[]> {
    const all: AgentRuntimeEndpoint[] = [];
    const input = { agentRuntimeId };
    const pages = this.#sdk.paginateListAgentRuntimeEndpoints(this.#paging, input, this.#abort);
    for await (const { runtimeEndpoints = [] } of pages) all.push(...runtimeEndpoints);
    return all;
  }

  async versions(agentRuntimeId: string): Promise<readonly AgentRuntime[]> {
    const all: AgentRuntime[] = [];
    const input = { agentRuntimeId };
    const pages = this.#sdk.paginateListAgentRuntimeVersions(this.#paging, input, this.#abort);
    for await (const { agentRuntimes = [] } of pages) all.push(...agentRuntimes);
    return all;
  }

  /** Yields the pages of ListGateways. */
  async *gateways(): AsyncGenerator<readonly GatewaySummary[]> {
    const pages = this.#sdk.paginateListGateways(this.#paging, {}, this.#abort);
    for await (const { items = [] } of pages) yield items;
  }

  gateway(gatewayIdentifier: string): Promise<GetGatewayCommandOutput> {
    return this.#client.send(new this.#sdk.GetGatewayCommand({ gatewayIdentifier }), this.#abort);
  }

  /** Closes the client and its connections. */
  close(): void {
    this.#close();
  }

  /** An unchanged token would cause an endless loop. */
  get #paging() {
    return { client: this.#client, pageSize: PAGE_SIZE, stopOnSameToken: true };
  }
}

/** Maximum concurrent calls for one kind of detail. The rate limiter also applies. */
const READ_CONCURRENCY = 8;

/** Maximum items per account and region. More are omitted, with a problem in the result. */
const MAX_ITEMS = 1000;

/** The reader of one account and region, and the receiver of its problems. */
export interface ReadingContext {
  readonly reader: ControlPlaneReader;
  readonly place: DiscoveryScope;
  readonly home: Home;
  readonly signal: AbortSignal;
  readonly onProblem: (problem: Problem) => void;
}

interface Named {
  readonly id: string;
  readonly name: string;
}

/**
 * Reads all runtimes. Calls `onChange` with all of them after each update.
 *
 * @returns `undefined` if the names could not be listed.
 * @throws only the signal's reason.
 */
export async function readRuntimes(
  context: ReadingContext,
  options: { readonly versions: boolean },
  onChange: (runtimes: readonly DiscoveredRuntime[]) => void,
): Promise<readonly DiscoveredRuntime[] | undefined> {
  const { reader, home } = context;
  const known = new ItemList(onChange);
  const pages = mapPages(reader.runtimes(), (summary) => toRuntime(summary, home));
  if (!(await list(context, 'ListAgentRuntimes', pages, known))) return undefined;
  await Promise.all([
    readDetails(context, 'GetAgentRuntime', known, async ({ id }) =>
      toRuntimeDetails(await reader.runtime(id)),
    ),
    readDetails(context, 'ListAgentRuntimeEndpoints', known, async ({ id }) => ({
      endpoints: (await reader.endpoints(id)).map(toEndpoint),
    })),
    options.versions &&
      readDetails(context, 'ListAgentRuntimeVersions', known, async ({ id }) => ({
        versions: toVersions(await reader.versions(id)),
      })),
  ]);
  return known.all;
}

/** Like {@link readRuntimes}, for gateways. */
export async function readGateways(
  context: ReadingContext,
  onChange: (gateways: readonly DiscoveredGateway[]) => void,
): Promise<readonly DiscoveredGateway[] | undefined> {
  const { reader, home } = context;
  const known = new ItemList(onChange);
  const pages = mapPages(reader.gateways(), (summary) => toGateway(summary, home));
  if (!(await list(context, 'ListGateways', pages, known))) return undefined;
  await readDetails(context, 'GetGateway', known, async ({ id }) =>
    toGatewayDetails(await reader.gateway(id)),
  );
  return known.all;
}

/** The items read so far, in list order. */
class ItemList<T extends Named> {
  readonly #items = new Map<string, T>();
  readonly #onChange: (items: readonly T[]) => void;

  constructor(onChange: (items: readonly T[]) => void) {
    this.#onChange = onChange;
  }

  get all(): readonly T[] {
    return [...this.#items.values()];
  }

  put(items: readonly T[]): void {
    for (const item of items) this.#items.set(item.id, item);
    this.#onChange(this.all);
  }

  add(id: string, details: Partial<T>): void {
    const item = this.#items.get(id);
    if (item) this.put([{ ...item, ...details }]);
  }
}

/** @returns true if at least one page was read, even an empty one. */
async function list<T extends Named>(
  context: ReadingContext,
  api: string,
  pages: AsyncIterable<readonly T[]>,
  known: ItemList<T>,
): Promise<boolean> {
  let hasPage = false;
  try {
    for await (const items of pages) {
      hasPage = true;
      const room = MAX_ITEMS - known.all.length;
      known.put(items.slice(0, room));
      if (items.length > room) {
        const sentence = `Only the first ${MAX_ITEMS} of ${api} are shown`;
        const { place } = context;
        context.onProblem({ place, kind: 'bound', api, subject: undefined, sentence });
        break;
      }
    }
  } catch (thrown) {
    context.signal.throwIfAborted();
    context.onProblem(toProblem(thrown, context.place, api, undefined));
  }
  return hasPage;
}

async function readDetails<T extends Named>(
  context: ReadingContext,
  api: string,
  known: ItemList<T>,
  ask: (item: T) => Promise<Partial<T>>,
): Promise<void> {
  await mapConcurrent(known.all, READ_CONCURRENCY, async (item) => {
    try {
      known.add(item.id, await ask(item));
    } catch (thrown) {
      context.signal.throwIfAborted();
      context.onProblem(toProblem(thrown, context.place, api, item.name));
    }
  });
}

async function* mapPages<A, B>(
  pages: AsyncIterable<readonly A[]>,
  map: (item: A) => B,
): AsyncGenerator<readonly B[]> {
  for await (const page of pages) yield page.map(map);
}

/** The account and region of a resource. */
interface Home {
  readonly account: string;
  readonly region: string;
}

/** Converts a list entry. It has neither protocol nor authorizer. */
function toRuntime(summary: AgentRuntime, home: Home): DiscoveredRuntime {
  const { agentRuntimeArn = '', agentRuntimeId = '', agentRuntimeName } = summary;
  return {
    kind: 'runtime',
    ...home,
    arn: agentRuntimeArn,
    id: agentRuntimeId,
    name: agentRuntimeName ?? agentRuntimeId,
    description: summary.description,
    version: summary.agentRuntimeVersion ?? '',
    status: summary.status ?? '',
    updatedAt: summary.lastUpdatedAt?.toISOString(),
  };
}

/** Converts the details from GetAgentRuntime. Omits environment variables and the image. */
function toRuntimeDetails(answer: GetAgentRuntimeCommandOutput): Partial<DiscoveredRuntime> {
  const jwt = toJwtAuthorizer(answer.authorizerConfiguration);
  const { lifecycleConfiguration: lifecycle } = answer;
  return {
    ...(answer.status && { status: answer.status }),
    failureReason: answer.failureReason,
    // HTTP is the platform's default.
    protocol: answer.protocolConfiguration?.serverProtocol ?? 'HTTP',
    authorizer: answer.authorizerConfiguration ? 'JWT' : 'IAM',
    jwt,
    networkMode: answer.networkConfiguration?.networkMode,
    lifecycle: lifecycle && {
      idleTimeout: lifecycle.idleRuntimeSessionTimeout,
      maxLifetime: lifecycle.maxLifetime,
    },
  };
}

function toEndpoint(endpoint: AgentRuntimeEndpoint): DiscoveredEndpoint {
  const { name = '', agentRuntimeEndpointArn = '', liveVersion, targetVersion } = endpoint;
  return {
    name,
    arn: agentRuntimeEndpointArn,
    status: endpoint.status ?? '',
    liveVersion,
    targetVersion: targetVersion === liveVersion ? undefined : targetVersion,
  };
}

function toVersions(versions: readonly AgentRuntime[]): NonNullable<DiscoveredRuntime['versions']> {
  return versions
    .map(({ agentRuntimeVersion = '', status = '', lastUpdatedAt }) => ({
      version: agentRuntimeVersion,
      status,
      updatedAt: lastUpdatedAt?.toISOString(),
    }))
    .sort((one, other) => Number(other.version) - Number(one.version));
}

const AUTHORIZERS: Readonly<Record<string, DiscoveredGateway['authorizer']>> = {
  AWS_IAM: 'IAM',
  CUSTOM_JWT: 'JWT',
  NONE: 'NONE',
};

/** Converts a list entry. It has no URL. */
function toGateway(summary: GatewaySummary, home: Home): DiscoveredGateway {
  const { gatewayId = '', name, authorizerType = '' } = summary;
  const { region, account } = home;
  return {
    kind: 'gateway',
    ...home,
    // The list entry has no ARN.
    arn: `arn:${getPartition(region)}:bedrock-agentcore:${region}:${account}:gateway/${gatewayId}`,
    id: gatewayId,
    name: name ?? gatewayId,
    description: summary.description,
    status: summary.status ?? '',
    protocol: summary.protocolType,
    authorizer: AUTHORIZERS[authorizerType] ?? 'OTHER',
    updatedAt: summary.updatedAt?.toISOString(),
  };
}

/** Converts the details from GetGateway. */
function toGatewayDetails(answer: GetGatewayCommandOutput): Partial<DiscoveredGateway> {
  return {
    ...(answer.gatewayArn && { arn: answer.gatewayArn }),
    ...(answer.status && { status: answer.status }),
    url: answer.gatewayUrl,
    jwt: toJwtAuthorizer(answer.authorizerConfiguration),
  };
}

function toJwtAuthorizer(
  configuration: AuthorizerConfiguration | undefined,
): DiscoveredJwt | undefined {
  const jwt = configuration?.customJWTAuthorizer;
  if (!jwt) return undefined;
  return {
    discoveryUrl: jwt.discoveryUrl ?? '',
    allowedAudience: jwt.allowedAudience ?? [],
    allowedClients: jwt.allowedClients ?? [],
    allowedScopes: jwt.allowedScopes ?? [],
  };
}
