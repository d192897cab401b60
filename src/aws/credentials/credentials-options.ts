import type { Environment } from '../../environment.ts';
import type { Log } from '../../log.ts';
import type { SigningClock } from '../aws-clock.ts';
import type { Network } from '../network.ts';
import type { CredentialPrompts } from './prompts.ts';

/** A role to assume with the credentials found. */
export interface AssumeRole {
  readonly arn: string;
  readonly sessionName: string;
  /** Roles to assume before it, each with the credentials of the previous one. */
  readonly chain?: readonly string[] | undefined;
  /** For the last role. AWS does not treat it as a secret, but the journal must not contain it. */
  readonly externalId?: string | undefined;
  /** Lifetime of the last role's credentials, in seconds. */
  readonly duration?: number | undefined;
  /** For the first role: the MFA device of the user. */
  readonly mfaSerial?: string | undefined;
  /** Set with the first role; AWS keeps it through the chain. */
  readonly sourceIdentity?: string | undefined;
}

/** Role session name if the profile does not set one. */
export const PROFILE_SESSION_NAME = 'agentcore-mcp';

/** One role, assumed with other credentials. */
export type RoleStep = Omit<AssumeRole, 'chain'>;

export interface CredentialsOptions {
  readonly profile: string | undefined;
  /** The region for STS calls if neither the environment nor the profile sets one. */
  readonly region: string | undefined;
  readonly assumeRole: AssumeRole | undefined;
  readonly network: Network;
  readonly env: Environment;
  /** Prompts for the user. Absent if no user can answer. */
  readonly prompts?: CredentialPrompts | undefined;
  readonly log?: Log | undefined;
  /** The clock for expiry times. A new one is created by default. */
  readonly clock?: SigningClock | undefined;
  /** Called once, when credentials are found for the first time. */
  readonly onFound?: (() => void) | undefined;
}

/** The inputs and callbacks of one credential search. */
export interface Search {
  /** Absent in a background search, which must not prompt the user. */
  readonly prompts: CredentialPrompts | undefined;
  readonly signal: AbortSignal;
  /**
   * Called with each file that the search depends on. If one changes, the credentials may change.
   */
  readonly onFile: (path: string) => void;
}
