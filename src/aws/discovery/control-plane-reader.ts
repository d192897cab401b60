import type {
  AgentRuntime,
  AgentRuntimeEndpoint,
  BedrockAgentCoreControlClient,
  GatewaySummary,
  GetAgentRuntimeCommandOutput,
  GetGatewayCommandOutput,
} from '@aws-sdk/client-bedrock-agentcore-control';
import type { Network } from '../network.ts';
import { createSdkRequestHandler } from '../sdk-request-handler.ts';
import type { Credentials } from '../signer.ts';
import type { RateLimiter } from './pace.ts';

const PAGE = 100;

const CONNECT_TIMEOUT_MS = 5_000;

const RESPONSE_TIMEOUT_MS = 15_000;

interface ReaderOptions {
  readonly endpoint: URL;
  readonly region: string;
  readonly account: string;
  readonly credentials: Credentials;
  readonly network: Network;
  readonly pace: RateLimiter;
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
  readonly #options: ReaderOptions;
  readonly #close: () => void;

  static async open(options: ReaderOptions): Promise<ControlPlaneReader> {
    const agent = await options.network.agentFor(options.endpoint);
    const sdk = await import('@aws-sdk/client-bedrock-agentcore-control');
    const client = new sdk.BedrockAgentCoreControlClient({
      endpoint: options.endpoint.href,
      region: options.region,
      credentials: options.credentials,
      // `Pace` does the retries.
      maxAttempts: 1,
      requestHandler: createSdkRequestHandler(agent, {
        connect: CONNECT_TIMEOUT_MS,
        read: RESPONSE_TIMEOUT_MS,
      }),
    });
    return new ControlPlaneReader(sdk, client, options, () => {
      client.destroy();
      agent.destroy();
    });
  }

  private constructor(
    sdk: Sdk,
    client: BedrockAgentCoreControlClient,
    options: ReaderOptions,
    close: () => void,
  ) {
    this.#sdk = sdk;
    this.#client = client;
    this.#options = options;
    this.#close = close;
  }

  runtimes(): AsyncGenerator<readonly AgentRuntime[]> {
    return this.#pages(async (page) => {
      const { agentRuntimes, nextToken } = await this.#call('ListAgentRuntimes', (abort) =>
        this.#client.send(new this.#sdk.ListAgentRuntimesCommand(page), abort),
      );
      return { items: agentRuntimes, nextToken };
    });
  }

  runtime(agentRuntimeId: string): Promise<GetAgentRuntimeCommandOutput> {
    return this.#call('GetAgentRuntime', (abort) =>
      this.#client.send(new this.#sdk.GetAgentRuntimeCommand({ agentRuntimeId }), abort),
    );
  }

  endpoints(agentRuntimeId: string): Promise<readonly AgentRuntimeEndpoint[]> {
    return this.#all(async (page) => {
      const { runtimeEndpoints, nextToken } = await this.#call(
        'ListAgentRuntimeEndpoints',
        (abort) =>
          this.#client.send(
            new this.#sdk.ListAgentRuntimeEndpointsCommand({ agentRuntimeId, ...page }),
            abort,
          ),
      );
      return { items: runtimeEndpoints, nextToken };
    });
  }

  versions(agentRuntimeId: string): Promise<readonly AgentRuntime[]> {
    return this.#all(async (page) => {
      const { agentRuntimes, nextToken } = await this.#call('ListAgentRuntimeVersions', (abort) =>
        this.#client.send(
          new this.#sdk.ListAgentRuntimeVersionsCommand({ agentRuntimeId, ...page }),
          abort,
        ),
      );
      return { items: agentRuntimes, nextToken };
    });
  }

  gateways(): AsyncGenerator<readonly GatewaySummary[]> {
    return this.#pages(async (page) => {
      const { items, nextToken } = await this.#call('ListGateways', (abort) =>
        this.#client.send(new this.#sdk.ListGatewaysCommand(page), abort),
      );
      return { items, nextToken };
    });
  }

  gateway(gatewayIdentifier: string): Promise<GetGatewayCommandOutput> {
    return this.#call('GetGateway', (abort) =>
      this.#client.send(new this.#sdk.GetGatewayCommand({ gatewayIdentifier }), abort),
    );
  }

  close(): void {
    this.#close();
  }

  #call<T>(
    api: string,
    send: (options: { readonly abortSignal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    const { pace, account, region, endpoint, signal } = this.#options;
    const scope = `${account} ${region} ${endpoint.origin}`;
    return pace.call(scope, api, signal, () => send({ abortSignal: signal }));
  }

  async *#pages<T>(fetch: FetchPage<T>): AsyncGenerator<readonly T[]> {
    let nextToken: string | undefined;
    do {
      const page = await fetch({ maxResults: PAGE, nextToken });
      yield page.items ?? [];
      // An unchanged token would cause an endless loop.
      nextToken = page.nextToken === nextToken ? undefined : page.nextToken;
    } while (nextToken);
  }

  async #all<T>(fetch: FetchPage<T>): Promise<readonly T[]> {
    const all: T[] = [];
    for await (const items of this.#pages(fetch)) all.push(...items);
    return all;
  }
}

type FetchPage<T> = (page: {
  readonly maxResults: number;
  readonly nextToken: string | undefined;
}) => Promise<{ readonly items: T[] | undefined; readonly nextToken?: string | undefined }>;
