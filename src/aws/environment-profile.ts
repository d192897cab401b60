import type { Environment } from '../environment.ts';

/** `AWS_PROFILE` takes precedence, as in the AWS SDKs. */
export function getEnvironmentProfile(env: Environment): string | undefined {
  return env.AWS_PROFILE || env.AWS_DEFAULT_PROFILE || undefined;
}
