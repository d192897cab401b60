import type { Identity } from '../../aws/credentials/caller-identity.ts';
import type { CredentialPrompts } from '../../aws/credentials/options.ts';
import { getEnvironmentProfile } from '../../aws/shared-config.ts';
import type { Environment } from '../../base/environment.ts';
import {
  createEntryCredentials,
  getRegion,
  toAssumeRole,
} from '../credentials/entry-credentials.ts';
import type { RuntimeEntry } from '../runtimes/runtime-entry.ts';
import { getTargetArn } from '../servers/server-environment.ts';

/** The caller of a runtime. */
interface Caller {
  /** The identity of the profile's or the environment's credentials. */
  readonly before: Identity;
  /** The identity after the entry's role is assumed, if it has a role. */
  readonly after: Identity | undefined;
  /** Differences from the runtime, such as another account or region. */
  readonly warnings: readonly string[];
}

/**
 * Requests the caller's identity from AWS, before and after the role is assumed.
 *
 * @param onBefore Receives the identity that assumes the role, before the role is assumed.
 * @throws {AgentCoreError} `credentials` if the credentials cannot be resolved.
 */
export async function findCaller(
  entry: RuntimeEntry,
  options: {
    readonly env: Environment;
    readonly prompts: CredentialPrompts;
    readonly onBefore?: (identity: Identity) => void;
  },
): Promise<Caller> {
  const { env, prompts, onBefore } = options;
  const [{ describeMismatches: mismatch, getCallerIdentity: whoAmI }, { openNetwork }] =
    await Promise.all([
      import('../../aws/credentials/caller-identity.ts'),
      import('../../aws/endpoints.ts'),
    ]);
  const profile = entry.profile ?? getEnvironmentProfile(env);
  const network = await openNetwork(profile, env);
  const identify = async (role: RuntimeEntry['role']) =>
    whoAmI({
      profile,
      region: getRegion(entry),
      assumeRole: role && toAssumeRole(role),
      env,
      network,
      credentials: await createEntryCredentials({ ...entry, role }, { env, prompts }),
    });
  const before = await identify(undefined);
  onBefore?.(before);
  const after = entry.role && (await identify(entry.role));
  const arn = getTargetArn(entry);
  return { before, after, warnings: arn ? mismatch(after ?? before, arn) : [] };
}
