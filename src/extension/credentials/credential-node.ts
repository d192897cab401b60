import type { Profile } from '../../aws/credentials/profiles.ts';
import type { RoleTarget } from '../../aws/credentials/role-targets.ts';
import type { Identity } from '../../aws/discovery/who-am-i.ts';
import type { SsoSession } from '../../aws/sso/sso-session.ts';
import type { LoginStatus } from '../../aws/sso/status.ts';

/** What the view "Credentials" shows, and its commands are given. */
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

/** The access key that VS Code itself was started with. */
interface EnvironmentNode {
  readonly kind: 'environment';
}

/** Roles that were assumed of late, and those with a name. */
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
  /** Whose it is; absent for the environment's. */
  readonly profile: string | undefined;
  readonly identity: Identity;
  readonly arn: string;
}

/** Why something cannot be used. */
export interface CredentialProblemNode {
  readonly kind: 'problem';
  readonly failure: unknown;
}
