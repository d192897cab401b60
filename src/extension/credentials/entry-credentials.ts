import type { FoundCredentials } from '../../aws/credentials/credentials.ts';
import type { AssumeRole } from '../../aws/credentials/credentials-options.ts';
import type { CredentialPrompts } from '../../aws/credentials/prompts.ts';
import { environmentProfile } from '../../aws/environment-profile.ts';
import type { Environment } from '../../environment.ts';
import type { EntryRole, RuntimeEntry } from '../runtimes/runtime-entry.ts';

/** The proxy's default role session name. */
const SESSION_NAME = 'mcpAgentCoreProxy';

/**
 * Resolves the same credentials as the proxy of this entry, with prompts for the user if needed.
 */
export async function credentialsOf(
  entry: Pick<RuntimeEntry, 'profile' | 'role' | 'target'>,
  options: { readonly env: Environment; readonly prompts?: CredentialPrompts | undefined },
): Promise<FoundCredentials> {
  const [{ findCredentials }, { openNetwork }] = await Promise.all([
    import('../../aws/credentials/credentials.ts'),
    import('../../aws/shared-config.ts'),
  ]);
  const { env, prompts } = options;
  const profile = entry.profile ?? environmentProfile(env);
  return findCredentials({
    profile,
    region: regionOf(entry),
    assumeRole: entry.role && roleOf(entry.role),
    network: await openNetwork(profile, env),
    env,
    ...(prompts && { prompts }),
  });
}

/** Returns `undefined` for a local AgentCore. */
export function regionOf({ target }: Pick<RuntimeEntry, 'target'>): string | undefined {
  switch (target.kind) {
    case 'runtime':
      return target.runtime.region;
    case 'gateway':
      return target.gateway.region;
    case 'local':
      return undefined;
  }
}

export function roleOf({ arns, sessionName, ...role }: EntryRole): AssumeRole {
  const chain = arns.slice(0, -1);
  return {
    ...role,
    arn: arns.at(-1) as string,
    sessionName: sessionName ?? SESSION_NAME,
    ...(chain.length > 0 && { chain }),
  };
}
