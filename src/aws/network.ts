import { readFileSync } from 'node:fs';
import { type AgentOptions, Agent as HttpAgent, type RequestOptions } from 'node:http';
import { getProxyForUrl } from 'proxy-from-env';
import type { Environment } from '../environment.ts';
import { AgentCoreError, messageOf } from '../error.ts';

/**
 * How this machine reaches the network: straight or through `HTTPS_PROXY`, `HTTP_PROXY` and
 * `ALL_PROXY` but for the hosts of `NO_PROXY`, trusting the certificate authorities of Node (those
 * of the system too where `NODE_USE_SYSTEM_CA` is 1), `NODE_EXTRA_CA_CERTS` and `AWS_CA_BUNDLE`.
 * Sockets are kept alive.
 */
export class Network {
  readonly #options: AgentOptions;
  readonly #authorities: readonly string[];

  constructor(env: Environment) {
    const bundles = [env.NODE_EXTRA_CA_CERTS, env.AWS_CA_BUNDLE];
    this.#options = {
      keepAlive: true,
      // An idle socket goes before the usual 60 s of a load balancer end it under a request.
      timeout: 30_000,
      scheduling: 'lifo',
    };
    this.#authorities = bundles.flatMap((path) => (path ? [readBundle(path)] : []));
  }

  /** An agent for requests to one origin. */
  async agentFor(url: URL): Promise<HttpAgent> {
    const options = await this.#agentOptions();
    const proxy = proxyFor(url);
    if (url.protocol === 'https:') {
      if (!proxy) return new (await import('node:https')).Agent(options);
      const { HttpsProxyAgent } = await import('https-proxy-agent');
      const agent = new HttpsProxyAgent(proxy, options);
      // It keeps neither what its own connections need, nor for which scheme it is.
      Object.assign(agent.options, options);
      agent.protocol = 'https:';
      return agent;
    }
    if (!proxy) return new HttpAgent(options);
    const { HttpProxyAgent } = await import('http-proxy-agent');
    return new HttpProxyAgent(proxy, options);
  }

  /**
   * The agent for clients that talk to any host, as those inside credential providers do: it picks
   * the way for each connection.
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

/** @throws {AgentCoreError} `config` where the variable that applies is no URL. */
function proxyFor(url: URL): string {
  const proxy = getProxyForUrl(url.href);
  if (proxy === '' || URL.canParse(proxy)) return proxy;
  const variable = url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  throw new AgentCoreError(
    'config',
    `${variable} or ALL_PROXY is not a URL such as http://host:port`,
  );
}

type ConnectOptions = RequestOptions & { secureEndpoint: boolean };

function readBundle(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new AgentCoreError(
      'config',
      `Could not read the certificates of NODE_EXTRA_CA_CERTS or AWS_CA_BUNDLE: ${messageOf(cause)}`,
      { cause },
    );
  }
}
