import type { AwsCredentialIdentity } from '@smithy/types';

/** Milliseconds before their end at which credentials are renewed in the background. */
const RENEW_BEFORE = 5 * 60 * 1000;
/** Up to so many milliseconds earlier, so that not all programs of a machine ask at once. */
const JITTER = 60 * 1000;
/** Milliseconds before their end at which credentials are not used any more. */
const SAFETY = 5_000;

/** In milliseconds since the epoch, by the time of AWS. */
export interface Life {
  /** When they are not to be used any more. */
  readonly overAt: number;
  /** When newer ones are due. */
  readonly dueAt: number;
}

/** How long credentials are good for; those that live shortly are renewed at half of their life. */
export function lifeOf({ expiration }: AwsCredentialIdentity, now: number): Life {
  if (!expiration) return { overAt: Number.POSITIVE_INFINITY, dueAt: Number.POSITIVE_INFINITY };
  const end = expiration.getTime();
  const life = Math.max(end - now, 0);
  return {
    overAt: end - Math.min(SAFETY, life / 10),
    dueAt: end - Math.min(RENEW_BEFORE + Math.random() * JITTER, life / 2),
  };
}

/** Whether somebody else is meant, as far as that can be told: what is temporary changes each time. */
export function isOther(one: AwsCredentialIdentity, other: AwsCredentialIdentity): boolean {
  if (!one.sessionToken || !other.sessionToken) return !isSame(one, other);
  return one.accountId !== other.accountId;
}

/** Whether signatures by either are the same. */
export function isSame(one: AwsCredentialIdentity, other: AwsCredentialIdentity): boolean {
  return (
    one.accessKeyId === other.accessKeyId &&
    one.secretAccessKey === other.secretAccessKey &&
    one.sessionToken === other.sessionToken
  );
}
