import * as vscode from 'vscode';
import type { Identity } from '../../aws/credentials/caller-identity.ts';
import type { Profile } from '../../aws/credentials/profiles.ts';
import type { RoleTarget } from '../../aws/credentials/recent-roles.ts';
import type { SsoSession } from '../../aws/sso/sso-session.ts';
import type { LoginStatus } from '../../aws/sso/token-cache.ts';
import { type Environment, getStateDirectory } from '../../base/environment.ts';
import { getErrorMessage } from '../../base/errors.ts';
import { WatchedValue } from '../../base/watched-value.ts';

/** Debounce in milliseconds. */
const DEBOUNCE_MS = 100;

/** Poll interval for logins and countdowns in milliseconds, while the view is visible. */
const POLL_INTERVAL_MS = 15_000;

/**
 * All sources of credentials on this machine. Each load emits an event, for countdowns. Watches the
 * shared AWS files and the SSO logins from the first {@link follow} on.
 */
export class ProfilesModel extends WatchedValue<readonly CredentialNode[]> {
  readonly #env: () => Environment;
  readonly #filesChanged = new vscode.EventEmitter<void>();
  readonly #loginsChanged = new vscode.EventEmitter<void>();
  readonly #subscription: vscode.Disposable;
  #watching: AbortController | undefined;

  constructor(env: () => Environment) {
    super({
      initial: [],
      load: () => readOverview(env()),
      debounceMs: DEBOUNCE_MS,
      pollIntervalMs: () => POLL_INTERVAL_MS,
    });
    this.#env = env;
    this.#subscription = vscode.workspace.onDidChangeConfiguration((event) => {
      if (!event.affectsConfiguration('agentcore.aws')) return;
      if (this.#watching) this.#watch();
      this.reset();
    });
  }

  /** Fires when the profiles may have changed: the AWS files, their paths or confirmed commands. */
  get onDidReset(): vscode.Event<void> {
    return this.#filesChanged.event;
  }

  /** Fires after a sign-in, a sign-out or a token refresh. */
  get onDidChangeLogins(): vscode.Event<void> {
    return this.#loginsChanged.event;
  }

  /** Starts the watch of the AWS files and the logins, if it is not on. */
  follow(): void {
    if (!this.#watching) this.#watch();
  }

  /** Reads the files again. */
  reset(): void {
    this.invalidate();
    this.#filesChanged.fire();
  }

  override dispose(): void {
    super.dispose();
    this.#watching?.abort();
    for (const part of [this.#subscription, this.#filesChanged, this.#loginsChanged])
      part.dispose();
  }

  #watch(): void {
    this.#watching?.abort();
    this.#watching = new AbortController();
    const { signal } = this.#watching;
    const onLogin = () => {
      this.invalidate();
      this.#loginsChanged.fire();
    };
    void Promise.all([
      import('../../aws/credentials/profiles.ts'),
      import('../../aws/sso/token-cache.ts'),
    ]).then(([{ watchProfiles }, { watchLogins }]) => {
      watchProfiles(this.#env(), () => this.reset(), signal);
      watchLogins(this.#env(), onLogin, signal);
    });
  }
}

/**
 * Reads all sources of credentials on this machine: SSO sessions with their logins, profiles, the
 * access key of the environment, and roles. If a source is unreadable, a problem node replaces it.
 */
export async function readOverview(env: Environment): Promise<readonly CredentialNode[]> {
  const parts = await Promise.all([
    catchAsProblem(readSessions(env)),
    catchAsProblem(readProfiles(env)),
    catchAsProblem(readRoles(env)),
  ]);
  const [sessions = [], profiles = [], roles = []] = parts;
  const hasKey = Boolean(env.AWS_ACCESS_KEY_ID && env.AWS_SECRET_ACCESS_KEY);
  const nodes = [
    ...sessions,
    ...profiles,
    ...(hasKey ? [{ kind: 'environment' as const }] : []),
    ...roles,
  ];
  // SSO sessions and profiles share one file, so show its error only once.
  const seen = new Set<string>();
  return nodes.filter((node) => {
    if (node.kind !== 'problem') return true;
    const sentence = getErrorMessage(node.failure);
    return !seen.has(sentence) && seen.add(sentence);
  });
}

async function readSessions(env: Environment): Promise<readonly SsoNode[]> {
  const [{ listSsoSessions, findSsoSession }, { readLoginStatus }, { listProfiles }] =
    await Promise.all([
      import('../../aws/sso/sso-session.ts'),
      import('../../aws/sso/token-cache.ts'),
      import('../../aws/credentials/profiles.ts'),
    ]);
  const named = await listSsoSessions(env);
  // Legacy SSO profiles have no session name. Treat each start URL as one session.
  const legacy = (await listProfiles(env)).filter(
    ({ kind, problem }) => kind === 'sso-legacy' && problem === undefined,
  );
  const unnamed = await Promise.all(
    legacy.map(({ name }) => findSsoSession({ profile: name }, env)),
  );
  const byUrl = new Map(unnamed.map((session) => [session.startUrl, session]));
  return Promise.all(
    [...named, ...byUrl.values()].map(async (session) => ({
      kind: 'sso' as const,
      session,
      status: await readLoginStatus(session, { env }),
    })),
  );
}

async function readProfiles(env: Environment): Promise<readonly CredentialNode[]> {
  const { listProfiles } = await import('../../aws/credentials/profiles.ts');
  return (await listProfiles(env)).map((profile) => ({ kind: 'profile', profile }));
}

async function readRoles(env: Environment): Promise<readonly CredentialNode[]> {
  const { RoleTargets } = await import('../../aws/credentials/recent-roles.ts');
  const roles = await new RoleTargets(getStateDirectory(env)).list();
  return roles.length > 0 ? [{ kind: 'roles', roles }] : [];
}

async function catchAsProblem(
  reading: Promise<readonly CredentialNode[]>,
): Promise<readonly CredentialNode[]> {
  try {
    return await reading;
  } catch (failure) {
    return [{ kind: 'problem', failure }];
  }
}

/** The nodes of the view "Credentials", also passed to its commands. */
export type CredentialNode =
  | SsoNode
  | ProfileNode
  | EnvironmentNode
  | RolesNode
  | RoleNode
  | IdentityNode
  | CredentialProblemNode;

export interface SsoNode {
  readonly kind: 'sso';
  readonly session: SsoSession;
  readonly status: LoginStatus;
}

export interface ProfileNode {
  readonly kind: 'profile';
  readonly profile: Profile;
}

/** The access key in the environment of VS Code. */
interface EnvironmentNode {
  readonly kind: 'environment';
}

/** Named and recently used roles. */
interface RolesNode {
  readonly kind: 'roles';
  readonly roles: readonly RoleTarget[];
}

export interface RoleNode {
  readonly kind: 'role';
  readonly role: RoleTarget;
  readonly arn: string;
}

export interface IdentityNode {
  readonly kind: 'identity';
  /** Absent for the credentials of the environment. */
  readonly profile: string | undefined;
  readonly identity: Identity;
  readonly arn: string;
}

/** An error of a profile, a file or an identity. */
export interface CredentialProblemNode {
  readonly kind: 'problem';
  readonly failure: unknown;
}
