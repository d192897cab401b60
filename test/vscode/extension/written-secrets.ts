import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { RunFolder } from '../harness/run-folder.ts';

/** The folder in which the AWS CLI stores secrets, and a test its own. */
const KEPT = join('home', '.aws');

/**
 * Temporary keys of AWS for a login or a role. A file with one of these probably contains more
 * secrets.
 */
const ISSUED = /ASIA[A-Z2-7]{16}|\beyJ[\w-]{16,}\.eyJ[\w-]{16,}\./;

/**
 * The files of a run that contain one of these secrets, or credentials that were issued in it:
 * settings, storage and logs of VS Code and its extensions, the state folder, the workspace, the
 * home directory.
 */
export function filesWithSecrets({ root }: RunFolder, secrets: readonly string[]): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !path.startsWith(KEPT))
    .filter((path) => holdsSecret(readFileSync(join(root, path), 'latin1'), secrets));
}

/** Whether a text contains one of these secrets, or issued credentials. */
export function holdsSecret(text: string, secrets: readonly string[]): boolean {
  return ISSUED.test(text) || secrets.some((secret) => text.includes(secret));
}
