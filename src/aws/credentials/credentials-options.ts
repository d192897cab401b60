import type { Environment } from '../../environment.ts';
import type { Log } from '../../log.ts';
import type { AwsClock } from '../aws-clock.ts';
import type { Network } from '../network.ts';
import type { CredentialPrompts } from './prompts.ts';

/** A role to assume on top of other credentials. */
export interface AssumeRole {
  readonly arn: string;
  readonly sessionName: string;
  /** Roles to assume before it, each by means of the one before. */
  readonly chain?: readonly string[] | undefined;
  /** For the last role. AWS does not count it as a secret, but it is kept out of the journal. */
  readonly externalId?: string | undefined;
  /** How long the last role's credentials are to live, in seconds. */
  readonly duration?: number | undefined;
  /** For the first role: the device of the user who assumes it. */
  readonly mfaSerial?: string | undefined;
  /** Set with the first role; AWS keeps it through the chain. */
  readonly sourceIdentity?: string | undefined;
}

/** What role sessions are called where the profile that names the role does not say. */
export const PROFILE_SESSION_NAME = 'agentcore-mcp';

/** One role, assumed by means of other credentials. */
export type RoleStep = Omit<AssumeRole, 'chain'>;

/** Whose credentials are wanted, and what finding them may use. */
export interface CredentialsOptions {
  readonly profile: string | undefined;
  /** The region of STS calls where neither the environment nor the profile names one. */
  readonly region: string | undefined;
  readonly assumeRole: AssumeRole | undefined;
  readonly network: Network;
  readonly env: Environment;
  /** Who may be asked; absent where nobody can. */
  readonly prompts?: CredentialPrompts | undefined;
  readonly log?: Log | undefined;
  /** What tells how long credentials last; one of its own where it is absent. */
  readonly clock?: AwsClock | undefined;
  /** Called once, when credentials were found for the first time. */
  readonly onFound?: (() => void) | undefined;
}

/** What the chain is told by, and tells, whoever keeps its credentials. */
export interface Search {
  /** Absent for a search in the background, which disturbs nobody. */
  readonly prompts: CredentialPrompts | undefined;
  readonly signal: AbortSignal;
  /** Told of each file that had a say: when one changes, other credentials may be meant. */
  readonly onFile: (path: string) => void;
}
