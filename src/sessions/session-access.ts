import { parseRuntimeArn, type RuntimeArn } from '../aws/arn.ts';
import { isBearer, readAuthorization } from '../aws/authorization/authorization-settings.ts';
import { createTokenProvider } from '../aws/authorization/find-token.ts';
import type { KeptToken } from '../aws/authorization/kept-token.ts';
import { SigningClock } from '../aws/aws-clock.ts';
import type { LifecycleConfiguration } from '../aws/control-plane.ts';
import {
  type CredentialProvider,
  createCredentialProvider,
} from '../aws/credentials/credentials.ts';
import type { AssumeRole } from '../aws/credentials/credentials-options.ts';
import { getEnvironmentProfile } from '../aws/environment-profile.ts';
import type { Network } from '../aws/network.ts';
import { getRuntimeInvocationsUrl } from '../aws/runtime-url.ts';
import { openNetwork, readServiceSettings } from '../aws/shared-config.ts';
import type { Environment } from '../environment.ts';
import type { SessionOrigin } from '../journal/records.ts';
import { isAwsEndpoint, type LifecycleSubject } from './lifecycle.ts';
import { createStopTarget, type StopTarget } from './stop-session.ts';

/** The key that AWS's documentation has as its example; a local AgentCore takes it by default. */
const EXAMPLE_KEY = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};

const EXAMPLE_CREDENTIALS: CredentialProvider = Object.assign(async () => EXAMPLE_KEY, {
  renew: async () => false,
});

/** The external id by which a role is assumed, for who knows it: no record has it. */
export type GetExternalId = (role: Pick<AssumeRole, 'arn' | 'chain'>) => string | undefined;

/**
 * Reaches AgentCore as the program did that started a session: with its profile and role where it
 * named them, else with what the environment has; at its region and endpoint.
 */
export class SessionClientFactory {
  readonly #env: Environment;
  readonly #getExternalId: GetExternalId;
  readonly #credentials = new Map<string, CredentialProvider>();
  readonly #clock = new SigningClock();
  /** By the URL of what they are for. */
  readonly #tokens = new Map<string, KeptToken | undefined>();

  constructor(env: Environment, externalIdOf: GetExternalId = () => undefined) {
    this.#env = env;
    this.#getExternalId = externalIdOf;
  }

  /** What GetAgentRuntime says of the session's runtime; throws as the SDK's client does. */
  async readLifecycle(
    session: LifecycleSubject,
    signal: AbortSignal,
  ): Promise<LifecycleConfiguration | undefined> {
    const { getControlPlaneUrl: controlPlaneUrl, readLifecycle } = await import(
      '../aws/control-plane.ts'
    );
    const runtime = parseRuntimeArn(session.runtime);
    const settings = await readServiceSettings(
      'Bedrock AgentCore Control',
      this.#getProfile(session),
      this.#env,
    );
    // A local runtime serves both planes, and the environment may mean another by now.
    const isLocal = !isAwsEndpoint(session.endpoint);
    return readLifecycle({
      runtime,
      endpoint: isLocal ? new URL(session.endpoint) : controlPlaneUrl(runtime, settings),
      credentials: await this.#createCredentials(session),
      network: await this.#getNetwork(session),
      signal,
    });
  }

  /** The endpoint and the authorization to stop the session. */
  async createStopTargetFor(session: SessionOrigin): Promise<StopTarget> {
    const endpoint = new URL(session.endpoint);
    const runtime = parseRuntimeArn(session.runtime);
    const network = await this.#getNetwork(session);
    return createStopTarget({
      runtime,
      qualifier: session.qualifier,
      endpoint,
      token: this.#createToken(session, runtime, endpoint, network),
      credentials: await this.#createCredentials(session),
      clock: this.#clock,
      agent: await network.agentFor(endpoint),
    });
  }

  /**
   * What it takes to get a token is not in the journal: the environment has it, as it had for the
   * program that began the session, or IAM credentials have to do.
   */
  #createToken(
    session: SessionOrigin,
    runtime: RuntimeArn,
    endpoint: URL,
    network: Network,
  ): KeptToken | undefined {
    if (session.authorization === undefined) return undefined;
    const settings = readAuthorization(this.#env);
    if (!isBearer(settings)) return undefined;
    const url = getRuntimeInvocationsUrl(endpoint, runtime, session.qualifier);
    if (!this.#tokens.has(url.href)) {
      this.#tokens.set(url.href, createTokenProvider(settings, url, { network, env: this.#env }));
    }
    return this.#tokens.get(url.href);
  }

  /** Sessions of the same user share one look-up. */
  async #createCredentials(session: LifecycleSubject): Promise<CredentialProvider> {
    const { region } = parseRuntimeArn(session.runtime);
    const profile = this.#getProfile(session);
    if (profile === undefined && this.#isOfNobody(session)) return EXAMPLE_CREDENTIALS;
    const assumeRole = session.assumeRole && {
      ...session.assumeRole,
      // Where nobody knows it, whoever stops says it again.
      externalId:
        this.#getExternalId(session.assumeRole) ??
        (this.#env.AGENTCORE_ASSUME_ROLE_EXTERNAL_ID || undefined),
    };
    const network = await this.#getNetwork(session);
    const key = JSON.stringify([region, profile, assumeRole]);
    let credentials = this.#credentials.get(key);
    if (!credentials) {
      credentials = createCredentialProvider({
        profile,
        region,
        assumeRole,
        network,
        env: this.#env,
        clock: this.#clock,
      });
      this.#credentials.set(key, credentials);
    }
    return credentials;
  }

  /** A local AgentCore is used with a key of its own, which whoever looks at its sessions has not. */
  #isOfNobody({ endpoint, assumeRole }: LifecycleSubject): boolean {
    const isLoopback = ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(endpoint).hostname);
    return isLoopback && !assumeRole && !this.#env.AWS_ACCESS_KEY_ID;
  }

  /** Opened when it is needed: what is wrong with its settings concerns nobody before. */
  #getNetwork(subject: LifecycleSubject): Promise<Network> {
    return openNetwork(this.#getProfile(subject), this.#env);
  }

  #getProfile({ profile }: LifecycleSubject): string | undefined {
    return profile ?? getEnvironmentProfile(this.#env);
  }
}
