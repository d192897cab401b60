import { parseRuntimeArn } from '../aws/arn.ts';
import type { LifecycleConfiguration } from '../aws/control-plane.ts';
import { findCredentials } from '../aws/credentials.ts';
import { Network } from '../aws/network.ts';
import { readServiceSettings } from '../aws/shared-config.ts';
import type { Credentials } from '../aws/signer.ts';
import type { SessionOrigin } from '../journal/records.ts';
import { isAwsEndpoint, type LifecycleSubject } from './lifecycle.ts';
import type { SessionStopper } from './stop-session.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reaches AgentCore as the program did that started a session: with its profile and role where it
 * named them, else with what the environment has; at its region and endpoint.
 */
export class SessionAccess {
  readonly #env: Environment;
  readonly #credentials = new Map<string, Credentials>();
  #madeNetwork: Network | undefined;

  constructor(env: Environment) {
    this.#env = env;
  }

  /** What GetAgentRuntime says of the session's runtime; throws as the SDK's client does. */
  async readLifecycle(
    session: LifecycleSubject,
    signal: AbortSignal,
  ): Promise<LifecycleConfiguration | undefined> {
    const { controlPlaneUrl, readLifecycle } = await import('../aws/control-plane.ts');
    const runtime = parseRuntimeArn(session.runtime);
    const settings = await readServiceSettings(
      'Bedrock AgentCore Control',
      this.#profileOf(session),
      this.#env,
    );
    // A local runtime serves both planes, and the environment may mean another by now.
    const isLocal = !isAwsEndpoint(session.endpoint);
    return readLifecycle({
      runtime,
      endpoint: isLocal ? new URL(session.endpoint) : controlPlaneUrl(runtime, settings),
      credentials: this.#credentialsOf(session),
      network: this.#network,
      signal,
    });
  }

  /** What stops the session, and others of the same runtime and endpoint. */
  async stopperOf(session: SessionOrigin): Promise<SessionStopper> {
    const { SessionStopper } = await import('./stop-session.ts');
    const endpoint = new URL(session.endpoint);
    return new SessionStopper({
      runtime: parseRuntimeArn(session.runtime),
      qualifier: session.qualifier,
      endpoint,
      credentials: this.#credentialsOf(session),
      agent: await this.#network.agentFor(endpoint),
    });
  }

  /** Sessions of the same user share one look-up. */
  #credentialsOf(session: LifecycleSubject): Credentials {
    const { region } = parseRuntimeArn(session.runtime);
    const profile = this.#profileOf(session);
    const { assumeRole } = session;
    const key = JSON.stringify([region, profile, assumeRole]);
    let credentials = this.#credentials.get(key);
    if (!credentials) {
      const [network, env] = [this.#network, this.#env];
      credentials = findCredentials({ profile, region, assumeRole, network, env });
      this.#credentials.set(key, credentials);
    }
    return credentials;
  }

  /** Made when it is needed: what is wrong with its settings concerns nobody before. */
  get #network(): Network {
    this.#madeNetwork ??= new Network(this.#env);
    return this.#madeNetwork;
  }

  #profileOf({ profile }: LifecycleSubject): string | undefined {
    return profile ?? (this.#env.AWS_PROFILE || undefined);
  }
}
