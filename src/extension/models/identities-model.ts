import * as vscode from 'vscode';
import type { Identity } from '../../aws/credentials/caller-identity.ts';
import type { AssumeRole, CredentialPrompts } from '../../aws/credentials/options.ts';
import type { CredentialProvider } from '../../aws/credentials/provider.ts';
import { getEnvironmentProfile } from '../../aws/shared-config.ts';
import { KeyedSingleFlight } from '../../base/async.ts';
import type { Environment } from '../../base/environment.ts';
import type { EntryRole, RuntimeEntry } from '../settings/runtime-entry.ts';

// AWS identities and credentials for runtime entries: cached caller identities, and a credential
// provider configured like the proxy's.

/** The credentials of an identity. Without a profile, they are those of the environment. */
interface IdentityKey {
  readonly profile?: string | undefined;
  readonly role?: EntryRole | undefined;
}

/** The outcome of an identity request: the identity or the error. */
export type KnownIdentity =
  | { readonly identity: Identity; readonly failure?: undefined }
  | { readonly identity?: undefined; readonly failure: unknown };

/**
 * Cache lifetime of an identity in milliseconds. If the credentials expire earlier, the entry does
 * too.
 */
const IDENTITY_TTL_MS = 15 * 60_000;

/**
 * Cache lifetime of a failure in milliseconds. It is shorter, because the user can fix the cause.
 */
const FAILURE_TTL_MS = 5 * 60_000;

/** Maximum number of identities. The oldest one is dropped first. */
const MAX_IDENTITIES = 200;

interface CachedIdentity {
  readonly known: KnownIdentity;
  readonly until: number;
}

/** Caches the STS caller identities of profiles and roles. Never prompts the user to sign in. */
export class IdentitiesModel implements vscode.Disposable {
  readonly #env: () => Environment;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #held = new Map<string, CachedIdentity>();
  readonly #asking = new KeyedSingleFlight<KnownIdentity>();

  constructor(env: () => Environment) {
    this.#env = env;
  }

  /** Fires when an identity is added or the cache is cleared. */
  get onDidChange(): vscode.Event<void> {
    return this.#changed.event;
  }

  /** Returns the cached identity, without a request to AWS. */
  known(of: IdentityKey): KnownIdentity | undefined {
    const held = this.#held.get(getKey(of));
    return held && held.until > Date.now() ? held.known : undefined;
  }

  /**
   * Returns the cached identity or requests it from AWS. Concurrent calls share one request. Never
   * rejects: an error is part of the result.
   */
  ask(of: IdentityKey): Promise<KnownIdentity> {
    const known = this.known(of);
    if (known) return Promise.resolve(known);
    return this.#asking.run(getKey(of), () => this.#ask(of));
  }

  /** Stores an identity from another source, such as discovery. */
  learn(of: IdentityKey, identity: Identity): void {
    this.#keep(of, { identity });
  }

  /** Clears the cache. Call this if the profile files or the logins change. */
  forget(): void {
    this.#held.clear();
    this.#changed.fire();
  }

  dispose(): void {
    this.#changed.dispose();
  }

  async #ask(of: IdentityKey): Promise<KnownIdentity> {
    const known = await this.#find(of).then(
      (identity) => ({ identity }),
      (failure: unknown) => ({ failure }),
    );
    this.#keep(of, known);
    return known;
  }

  async #find({ profile, role }: IdentityKey): Promise<Identity> {
    const [{ getCallerIdentity }, { Network }, { readServiceSettings }] = await Promise.all([
      import('../../aws/credentials/caller-identity.ts'),
      import('../../http/network.ts'),
      import('../../aws/endpoints.ts'),
    ]);
    const env = this.#env();
    const { region, caBundle } = await readServiceSettings('Bedrock AgentCore', profile, env);
    const network = new Network(env, caBundle);
    return getCallerIdentity({
      profile,
      region,
      assumeRole: role && toAssumeRole(role),
      env,
      network,
    });
  }

  #keep(of: IdentityKey, known: KnownIdentity): void {
    const key = getKey(of);
    const now = Date.now();
    const expiresAt = Date.parse(known.identity?.expiresAt ?? '');
    const until = known.identity
      ? Math.min(now + IDENTITY_TTL_MS, expiresAt || Infinity)
      : now + FAILURE_TTL_MS;
    this.#held.delete(key);
    this.#held.set(key, { known, until });
    const [oldest] = this.#held.keys();
    if (this.#held.size > MAX_IDENTITIES && oldest !== undefined) this.#held.delete(oldest);
    this.#changed.fire();
  }
}

function getKey({ profile, role }: IdentityKey): string {
  return JSON.stringify([profile ?? null, role?.arns ?? [], role?.externalId ?? null]);
}

/** The proxy's default role session name. */
const SESSION_NAME = 'mcpAgentCoreProxy';

/**
 * Creates a credential provider with the profile, role and region of this entry, as the proxy does.
 * It uses `prompts` if a login or an MFA code is required.
 */
export async function createEntryCredentials(
  entry: Pick<RuntimeEntry, 'profile' | 'role' | 'target'>,
  options: { readonly env: Environment; readonly prompts?: CredentialPrompts | undefined },
): Promise<CredentialProvider> {
  const [{ createCredentialProvider }, { openNetwork }] = await Promise.all([
    import('../../aws/credentials/provider.ts'),
    import('../../aws/endpoints.ts'),
  ]);
  const { env, prompts } = options;
  const profile = entry.profile ?? getEnvironmentProfile(env);
  return createCredentialProvider({
    profile,
    region: getRegion(entry),
    assumeRole: entry.role && toAssumeRole(entry.role),
    network: await openNetwork(profile, env),
    env,
    ...(prompts && { prompts }),
  });
}

/** The region of the target. `undefined` for a local AgentCore. */
export function getRegion({ target }: Pick<RuntimeEntry, 'target'>): string | undefined {
  switch (target.kind) {
    case 'runtime':
      return target.runtime.region;
    case 'gateway':
      return target.gateway.region;
    case 'local':
      return undefined;
  }
}

/** Converts the role of an entry. The last ARN is the role; the others are its chain. */
export function toAssumeRole({ arns, sessionName, ...role }: EntryRole): AssumeRole {
  const chain = arns.slice(0, -1);
  return {
    ...role,
    arn: arns.at(-1) as string,
    sessionName: sessionName ?? SESSION_NAME,
    ...(chain.length > 0 && { chain }),
  };
}
