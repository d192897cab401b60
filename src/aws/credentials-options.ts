import type { Network } from './network.ts';

/** A role to assume on top of other credentials. */
export interface AssumeRole {
  readonly arn: string;
  readonly sessionName: string;
}

/** Whose credentials are wanted, and what finding them may use. */
export interface CredentialsOptions {
  readonly profile: string | undefined;
  /** The region of the STS calls that a role or a profile needs. */
  readonly region: string;
  readonly assumeRole: AssumeRole | undefined;
  readonly network: Network;
  readonly env: Readonly<Record<string, string | undefined>>;
}
