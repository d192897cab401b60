import type { Identity } from '../../aws/credentials/caller-identity.ts';
import type { Profile } from '../../aws/credentials/profiles.ts';
import type { RoleTarget } from '../../aws/credentials/recent-roles.ts';
import type { SsoSession } from '../../aws/sso/sso-session.ts';
import type { LoginStatus } from '../../aws/sso/token-cache.ts';

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

/** The access key in VS Code's environment. */
interface EnvironmentNode {
  readonly kind: 'environment';
}

/** Recently used and named roles. */
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
  /** The profile of the identity. Absent for the environment. */
  readonly profile: string | undefined;
  readonly identity: Identity;
  readonly arn: string;
}

/** An error of a profile, a file or an identity. */
export interface CredentialProblemNode {
  readonly kind: 'problem';
  readonly failure: unknown;
}
