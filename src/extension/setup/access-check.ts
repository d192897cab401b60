import type { CredentialPrompts } from '../../aws/credentials/prompts.ts';
import type { Identity } from '../../aws/discovery/who-am-i.ts';
import { environmentProfile } from '../../aws/environment-profile.ts';
import type { Environment } from '../../environment.ts';
import { credentialsOf, regionOf, roleOf } from '../credentials/entry-credentials.ts';
import type { RuntimeEntry } from '../runtimes/runtime-entry.ts';
import { arnOf } from '../servers/server-environment.ts';

/** Who calls a runtime. */
export interface Caller {
  /** Whose credentials the profile or the environment has. */
  readonly before: Identity;
  /** Who that becomes by the entry's role, where it has one. */
  readonly after: Identity | undefined;
  /** What is surprising about calling the runtime so: another account or region. */
  readonly warnings: readonly string[];
}

/**
 * Asks AWS who would call the runtime of this entry, before and after the role is assumed.
 *
 * @param onBefore Told as soon as it is known who assumes the role.
 * @throws {AgentCoreError} `credentials`
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
  const [{ mismatch, whoAmI }, { openNetwork }] = await Promise.all([
    import('../../aws/discovery/who-am-i.ts'),
    import('../../aws/shared-config.ts'),
  ]);
  const profile = entry.profile ?? environmentProfile(env);
  const network = await openNetwork(profile, env);
  const identify = async (role: RuntimeEntry['role']) =>
    whoAmI({
      profile,
      region: regionOf(entry),
      assumeRole: role && roleOf(role),
      env,
      network,
      credentials: await credentialsOf({ ...entry, role }, { env, prompts }),
    });
  const before = await identify(undefined);
  onBefore?.(before);
  const after = entry.role && (await identify(entry.role));
  const arn = arnOf(entry);
  return { before, after, warnings: arn ? mismatch(after ?? before, arn) : [] };
}
