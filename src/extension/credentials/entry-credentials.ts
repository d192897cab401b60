import type { AssumeRole, CredentialPrompts } from '../../aws/credentials/options.ts';
import type { CredentialProvider } from '../../aws/credentials/provider.ts';
import { getEnvironmentProfile } from '../../aws/shared-config.ts';
import type { Environment } from '../../base/environment.ts';
import type { EntryRole, RuntimeEntry } from '../runtimes/runtime-entry.ts';

/** The proxy's default role session name. */
const SESSION_NAME = 'mcpAgentCoreProxy';

/**
 * Resolves the same credentials as the proxy of this entry, with prompts for the user if needed.
 */
export async function createEntryCredentials(
  entry: Pick<RuntimeEntry, 'profile' | 'role' | 'target'>,
  options: { readonly env: Environment; readonly prompts?: CredentialPrompts | undefined },
): Promise<CredentialProvider> {
  const [{ createCredentialProvider: findCredentials }, { openNetwork }] = await Promise.all([
    import('../../aws/credentials/provider.ts'),
    import('../../aws/endpoints.ts'),
  ]);
  const { env, prompts } = options;
  const profile = entry.profile ?? getEnvironmentProfile(env);
  return findCredentials({
    profile,
    region: getRegion(entry),
    assumeRole: entry.role && toAssumeRole(entry.role),
    network: await openNetwork(profile, env),
    env,
    ...(prompts && { prompts }),
  });
}

/** Returns `undefined` for a local AgentCore. */
export function getRegion({ target }: Pick<RuntimeEntry, 'target'>): string | undefined {
  switch (target.kind) {
    case 'runtime':
      return target.runtime.region;
    case 'gateway':
      return target.gateway.region;
    case 'local':
      return undefined;
  }
}

export function toAssumeRole({ arns, sessionName, ...role }: EntryRole): AssumeRole {
  const chain = arns.slice(0, -1);
  return {
    ...role,
    arn: arns.at(-1) as string,
    sessionName: sessionName ?? SESSION_NAME,
    ...(chain.length > 0 && { chain }),
  };
}
