import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

/**
 * A path that an entry names, as programs take it wherever they are started.
 *
 * @param folder Where relative paths start; the home where none is open.
 */
export function entryPath(path: string, folder: string | undefined): string {
  if (/^~[\\/]/.test(path)) return join(homedir(), path.slice(2));
  return isAbsolute(path) ? path : resolve(folder ?? homedir(), path);
}
