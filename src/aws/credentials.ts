import { fromEnv } from '@aws-sdk/credential-providers';
import type { AwsCredentialIdentity } from '@smithy/types';
import { AgentCoreError, messageOf } from '../error.ts';
import type { CredentialsOptions } from './credentials-options.ts';
import type { Credentials } from './signer.ts';

/** Credentials with less time left than this, in milliseconds, are renewed first. */
const RENEW_BEFORE = 5 * 60 * 1000;
/** The most that a provider (a process, a browser's token, instance metadata) may take. */
const RESOLVE_WITHIN = 60_000;

/**
 * The credentials that the AWS SDKs would find: the named profile, else the environment, shared
 * files, processes, web identity, container and instance metadata, in that order; then the role to
 * assume, if there is one. They are kept until five minutes before they expire, and all who ask
 * meanwhile share one look-up. The providers themselves are loaded when they are needed.
 *
 * @returns a function that throws {@link AgentCoreError} `credentials`.
 */
export function findCredentials(options: CredentialsOptions): Credentials {
  let held: AwsCredentialIdentity | undefined;
  let pending: Promise<AwsCredentialIdentity> | undefined;
  const provider = providerOf(options);

  return async ({ forceRefresh = false } = {}) => {
    if (held && !forceRefresh && !isDue(held)) return held;
    pending ??= within(RESOLVE_WITHIN, provider)
      .then((found) => {
        held = found;
        return found;
      })
      .catch((cause) => {
        throw noCredentials(cause, options);
      })
      .finally(() => {
        pending = undefined;
      });
    return pending;
  };
}

/**
 * Renews credentials for callers whose calls were refused as expired, once for all of them.
 *
 * @returns a function that takes the moment (`performance.now()`) at which the refused call began,
 * and resolves to false where the same credentials come back, so that nothing is gained by them.
 */
export function renewalOf(credentials: Credentials): (since: number) => Promise<boolean> {
  let renewedAt = Number.NEGATIVE_INFINITY;
  let pending: Promise<boolean> | undefined;
  const renew = async () => {
    const before = await credentials();
    const after = await credentials({ forceRefresh: true });
    const isOther =
      before.accessKeyId !== after.accessKeyId ||
      before.secretAccessKey !== after.secretAccessKey ||
      before.sessionToken !== after.sessionToken;
    if (isOther) renewedAt = performance.now();
    return isOther;
  };
  return async (since) => {
    if (renewedAt > since) return true;
    pending ??= renew().finally(() => {
      pending = undefined;
    });
    return pending;
  };
}

function providerOf(options: CredentialsOptions): () => Promise<AwsCredentialIdentity> {
  const { env, profile, assumeRole } = options;
  // By far the most common case of programs that start programs, and the one that loads nothing.
  if (!profile && !assumeRole && env.AWS_ACCESS_KEY_ID && env.AWS_SECRET_ACCESS_KEY) {
    return fromEnv();
  }
  let chain: Promise<() => Promise<AwsCredentialIdentity>> | undefined;
  return async () => {
    chain ??= import('./credential-chain.ts').then(({ credentialChain }) =>
      credentialChain(options),
    );
    return (await chain)();
  };
}

function isDue({ expiration }: AwsCredentialIdentity): boolean {
  return expiration !== undefined && expiration.getTime() - Date.now() < RENEW_BEFORE;
}

async function within<T>(milliseconds: number, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`No answer within ${milliseconds / 1000} s`)),
      milliseconds,
    );
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}

function noCredentials(
  cause: unknown,
  { profile, assumeRole }: CredentialsOptions,
): AgentCoreError {
  const words = messageOf(cause);
  const whose = profile ? `of profile "${profile}"` : 'in the environment or the default profile';
  const data = { name: cause instanceof Error ? cause.name : undefined };
  if (/\bSSO\b|sso session|Token is expired/i.test(words)) {
    const command = profile ? `aws sso login --profile ${profile}` : 'aws sso login';
    return new AgentCoreError(
      'credentials',
      `The SSO login ${whose} is missing or has expired: run "${command}" (${words})`,
      { cause, data },
    );
  }
  if (assumeRole && /AssumeRole/i.test(words)) {
    return new AgentCoreError(
      'credentials',
      `Could not assume ${assumeRole.arn}: check the role's trust policy and the sts:AssumeRole permission of the credentials ${whose} (${words})`,
      { cause, data },
    );
  }
  return new AgentCoreError(
    'credentials',
    `No AWS credentials ${whose}: sign in, or set AWS_PROFILE (${words})`,
    { cause, data },
  );
}
