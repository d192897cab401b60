import type { Environment } from '../environment.ts';

/** The profile that the environment names. `AWS_PROFILE` wins, as in the AWS SDKs. */
export function environmentProfile(env: Environment): string | undefined {
  return env.AWS_PROFILE || env.AWS_DEFAULT_PROFILE || undefined;
}
