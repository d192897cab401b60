import { basename, normalize } from 'node:path';
import type { Environment } from '../../environment.ts';
import { policyPlaces } from '../../policy/documents/policy-places.ts';
import type { RuntimeEntry } from '../runtimes/runtime-entry.ts';

/** By which a policy document is known: `package.json` has the same for its schema. */
const NAMED = /agentcore-policy.*\.(ya?ml|json)$/;
const IN_FOLDER = /[\\/]\.agentcore[\\/]policy\.(ya?ml|json)$/;

/** Whether a file is a policy document: by its name, or because an entry or a program obeys it. */
export function isPolicyFile(
  path: string,
  entries: readonly Pick<RuntimeEntry, 'policy'>[],
  env: Environment,
): boolean {
  if (NAMED.test(basename(path)) || IN_FOLDER.test(path)) return true;
  const own = normalize(path);
  if (entries.some(({ policy }) => policy !== undefined && normalize(policy) === own)) return true;
  return placesOf(env).some((place) => place === own);
}

/** Of those that hold for all programs; none where the environment names what cannot be one. */
function placesOf(env: Environment): readonly string[] {
  try {
    return policyPlaces(env).map(({ path }) => path);
  } catch {
    return [];
  }
}
