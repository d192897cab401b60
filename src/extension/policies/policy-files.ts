import { basename, normalize } from 'node:path';
import type { Environment } from '../../base/environment.ts';
import { getPolicyLocations } from '../../policy/documents/locations.ts';
import type { RuntimeEntry } from '../runtimes/runtime-entry.ts';

/** File names of policy documents. `package.json` has the same patterns for the schema. */
const NAMED = /agentcore-policy.*\.(ya?ml|json)$/;

const IN_FOLDER = /[\\/]\.agentcore[\\/]policy\.(ya?ml|json)$/;

/** Whether a file is a policy document: by its name, or because an entry or a program uses it. */
export function isPolicyFile(
  path: string,
  entries: readonly Pick<RuntimeEntry, 'policy'>[],
  env: Environment,
): boolean {
  if (NAMED.test(basename(path)) || IN_FOLDER.test(path)) return true;
  const own = normalize(path);
  if (entries.some(({ policy }) => policy !== undefined && normalize(policy) === own)) return true;
  return listPolicyLocations(env).some((place) => place === own);
}

/** Paths of the policies for all programs. Empty if the environment contains an invalid path. */
function listPolicyLocations(env: Environment): readonly string[] {
  try {
    return getPolicyLocations(env).map(({ path }) => path);
  } catch {
    return [];
  }
}
