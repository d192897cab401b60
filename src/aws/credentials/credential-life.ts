import type { AwsCredentialIdentity } from '@smithy/types';

/** Start the background refresh this many milliseconds before expiry. */
const RENEW_BEFORE = 5 * 60 * 1000;

/**
 * Maximum random milliseconds to refresh earlier. Prevents all programs from refreshing at once.
 */
const JITTER = 60 * 1000;

/** Stop using credentials this many milliseconds before expiry. */
const SAFETY = 5_000;

/** Timestamps in milliseconds since the epoch, by the clock of AWS. */
export interface Life {
  /** When the credentials must no longer be used. */
  readonly overAt: number;
  /** When to refresh the credentials. */
  readonly dueAt: number;
}

/**
 * Computes the lifetime of credentials. Short-lived credentials are refreshed at half of their
 * lifetime.
 */
export function getCredentialLife({ expiration }: AwsCredentialIdentity, now: number): Life {
  if (!expiration) return { overAt: Number.POSITIVE_INFINITY, dueAt: Number.POSITIVE_INFINITY };
  const end = expiration.getTime();
  const life = Math.max(end - now, 0);
  return {
    overAt: end - Math.min(SAFETY, life / 10),
    dueAt: end - Math.min(RENEW_BEFORE + Math.random() * JITTER, life / 2),
  };
}

/**
 * Whether the credentials belong to another principal. Temporary keys change with each refresh, so
 * for them only the account is compared.
 */
export function isOther(one: AwsCredentialIdentity, other: AwsCredentialIdentity): boolean {
  if (!one.sessionToken || !other.sessionToken) return !isSame(one, other);
  return one.accountId !== other.accountId;
}

/** Whether both produce the same signatures. */
export function isSame(one: AwsCredentialIdentity, other: AwsCredentialIdentity): boolean {
  return (
    one.accessKeyId === other.accessKeyId &&
    one.secretAccessKey === other.secretAccessKey &&
    one.sessionToken === other.sessionToken
  );
}
