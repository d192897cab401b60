import { readFileSync } from 'node:fs';
import { type AgentOptions, Agent as HttpAgent, type RequestOptions } from 'node:http';
import { getProxyForUrl } from 'proxy-from-env';
import type { Environment } from '../base/environment.ts';
import { AgentCoreError, getErrorMessage } from '../base/errors.ts';

/**
 * Creates HTTP agents with the configured proxies and certificate authorities. Connections use
 * `HTTPS_PROXY`, `HTTP_PROXY` and `ALL_PROXY`, except for hosts in `NO_PROXY`. They trust the
 * certificate authorities of Node, `NODE_EXTRA_CA_CERTS`, and `AWS_CA_BUNDLE` or the profile's
 * `ca_bundle`. If `NODE_USE_SYSTEM_CA` is 1, they also trust the system's. Sockets are kept alive.
 */
export class Network {
  readonly #options: AgentOptions;
  readonly #authorities: readonly string[];

  /**
   * @param caBundle The setting from `readServiceSettings`. The default is `AWS_CA_BUNDLE`.
   * @throws {AgentCoreError} `config` if a certificate file cannot be read.
   */
  constructor(env: Environment, caBundle: CaBundle | undefined = getEnvironmentBundle(env)) {
    const nodeBundle = env.NODE_EXTRA_CA_CERTS;
    const bundles = [
      nodeBundle ? { path: nodeBundle, setting: 'NODE_EXTRA_CA_CERTS' } : undefined,
      caBundle,
    ];
    this.#options = {
      keepAlive: true,
      // Close idle sockets first. A load balancer usually closes them after 60 s, perhaps during a
      // request.
      timeout: 30_000,
      scheduling: 'lifo',
    };
    this.#authorities = bundles.flatMap((bundle) => (bundle ? [readBundle(bundle)] : []));
  }

  /**
   * Creates an agent for requests to one origin.
   *
   * @throws {AgentCoreError} `config` if the applicable proxy variable is not a URL.
   */
  async agentFor(url: URL): Promise<HttpAgent> {
    const options = await this.#agentOptions();
    const proxy = getProxyUrl(url);
    if (url.protocol === 'https:') {
      if (!proxy) return new (await import('node:https')).Agent(options);
      const { HttpsProxyAgent } = await import('https-proxy-agent');
      const agent = new HttpsProxyAgent(proxy, options);
      // HttpsProxyAgent drops the connection options and the scheme, so set both.
      Object.assign(agent.options, options);
      agent.protocol = 'https:';
      return agent;
    }
    if (!proxy) return new HttpAgent(options);
    const { HttpProxyAgent } = await import('http-proxy-agent');
    return new HttpProxyAgent(proxy, options);
  }

  /**
   * Creates the agent for clients with varying hosts, such as credential providers. It chooses the
   * proxy for each connection.
   */
  async agentForAnyHost(): Promise<HttpAgent> {
    const { Agent } = await import('agent-base');
    const agentFor = (url: URL) => this.agentFor(url);
    const agents = new Map<string, Promise<HttpAgent>>();
    return new (class AnyHostAgent extends Agent {
      override async connect(_request: unknown, options: ConnectOptions): Promise<HttpAgent> {
        const scheme = options.secureEndpoint ? 'https' : 'http';
        const origin = `${scheme}://${options.host}:${options.port}`;
        let agent = agents.get(origin);
        if (!agent) {
          agent = agentFor(new URL(origin));
          agents.set(origin, agent);
        }
        return agent;
      }
    })({ keepAlive: true });
  }

  async #agentOptions(): Promise<AgentOptions> {
    if (this.#authorities.length === 0) return this.#options;
    const { getCACertificates } = await import('node:tls');
    const ca = [...getCACertificates('default'), ...this.#authorities];
    return Object.assign({ ca }, this.#options);
  }
}

/** @throws {AgentCoreError} `config` if the applicable variable is not a URL. */
function getProxyUrl(url: URL): string {
  const proxy = getProxyForUrl(url.href);
  if (proxy === '' || URL.canParse(proxy)) return proxy;
  const variable = url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  throw new AgentCoreError(
    'config',
    `${variable} or ALL_PROXY is not a URL such as http://host:port`,
  );
}

type ConnectOptions = RequestOptions & { secureEndpoint: boolean };

/** A certificate file and the name of its setting. */
interface CaBundle {
  readonly path: string;
  readonly setting: string;
}

function getEnvironmentBundle({ AWS_CA_BUNDLE: path }: Environment): CaBundle | undefined {
  return path ? { path, setting: 'AWS_CA_BUNDLE' } : undefined;
}

function readBundle({ path, setting }: CaBundle): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new AgentCoreError(
      'config',
      `Could not read the certificates of ${setting}: ${getErrorMessage(cause)}. Correct the path`,
      { cause },
    );
  }
}
