import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

/**
 * Makes a path of an entry absolute, because programs start in other directories.
 *
 * @param folder The base of relative paths. The home directory if no folder is open.
 */
export function resolveEntryPath(path: string, folder: string | undefined): string {
  if (/^~[\\/]/.test(path)) return join(homedir(), path.slice(2));
  return isAbsolute(path) ? path : resolve(folder ?? homedir(), path);
}
