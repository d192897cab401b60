import type { CredentialPrompts } from '../../aws/credentials/options.ts';
import type { Environment } from '../../base/environment.ts';
import { AgentCoreError } from '../../base/errors.ts';
import { createEntryCredentials } from '../credentials/entry-credentials.ts';
import type { RuntimeEntry } from '../runtimes/runtime-entry.ts';
import { type PreparationStep, UserCancelledError } from './server-preparation.ts';

/**
 * Resolves the credentials of an entry before its server starts. If necessary, prompts the user to
 * sign in or enter an MFA code. The proxy then finds the login in the shared SSO cache, and the
 * role credentials after MFA in the cache of the AWS CLI.
 */
export function prepareCredentials(options: {
  readonly env: () => Environment;
  readonly prompts: CredentialPrompts;
}): PreparationStep {
  return async (entry, signal) => {
    if (entry.target.kind === 'local' || entry.authorization.kind !== 'iam') return undefined;
    const env = options.env();
    await requireProfile(entry, env);
    const asked = trackPrompts(options.prompts, signal);
    const credentials = await createEntryCredentials(entry, { env, prompts: asked.prompts });
    try {
      await credentials();
    } catch (thrown) {
      // If the user declined a prompt, no error is shown.
      if (asked.wasDeclined()) throw new UserCancelledError();
      throw thrown;
    }
    return undefined;
  };
}

/**
 * Reports a missing profile, the most common error on a new machine.
 *
 * @throws {AgentCoreError} `credentials`, with the profile as `missingProfile`.
 */
async function requireProfile({ name, profile }: RuntimeEntry, env: Environment): Promise<void> {
  if (profile === undefined) return;
  const [
    { describeMisreadProfile: misreadProfile, getProfilePaths: profilePaths, readProfileFiles },
    { sortBySimilarity: nearestFirst },
  ] = await Promise.all([
    import('../../aws/shared-config.ts'),
    import('../../aws/credentials/profiles.ts'),
  ]);
  const files = await readProfileFiles(env);
  const { profiles } = files;
  if (profiles.has(profile)) return;
  const misread = misreadProfile(profile, files);
  if (misread) {
    throw new AgentCoreError(
      'credentials',
      `Could not use profile "${profile}" of runtime "${name}": ${misread}`,
      { data: { missingProfile: profile } },
    );
  }
  const [nearest] = nearestFirst(profile, profiles.keys());
  const other = nearest === undefined ? 'add it' : `add it, or pick another, such as "${nearest}"`;
  throw new AgentCoreError(
    'credentials',
    `Runtime "${name}" uses profile "${profile}", which is not in ${profilePaths(env).config}: ${other}`,
    { data: { missingProfile: profile } },
  );
}

/** Cancels each prompt with the start, and records whether the user declined one. */
function trackPrompts(prompts: CredentialPrompts, signal: AbortSignal) {
  let isDeclined = false;
  const noteDeclined = (thrown: unknown): never => {
    isDeclined = thrown instanceof UserCancelledError;
    throw thrown;
  };
  const asked: CredentialPrompts = {
    mfaCode: (serial, within) =>
      prompts.mfaCode(serial, AbortSignal.any([within, signal])).catch(noteDeclined),
    login: async (profile, reason, within) => {
      const all = AbortSignal.any([within, signal]);
      const isOn = (await prompts.login?.(profile, reason, all).catch(noteDeclined)) ?? false;
      isDeclined = !isOn;
      return isOn;
    },
  };
  return { prompts: asked, wasDeclined: () => isDeclined };
}
