import { randomBytes } from 'node:crypto';
import * as nodeFiles from 'node:fs/promises';
import { join } from 'node:path';
import { AgentCoreError, getErrorMessage } from '../../error.ts';
import { prepareFolder } from '../../journal/journal-part.ts';

const SALT_BYTES = 32;

/** The folder of audit files in the state folder. */
export function getAuditDirectory(state: string): string {
  return join(state, 'audit');
}

/**
 * The salt of argument hashes, shared by all programs of the user. Created if missing.
 *
 * @throws {AgentCoreError} `config` if the salt can be neither read nor created.
 */
export async function getOrCreateAuditSalt(state: string): Promise<Buffer> {
  const folder = getAuditDirectory(state);
  const path = join(folder, 'salt');
  try {
    await prepareFolder(nodeFiles, folder);
    const own = `${path}.${randomBytes(6).toString('hex')}`;
    const salt = await nodeFiles.readFile(path).catch(() => undefined);
    if (salt?.length === SALT_BYTES) return salt;
    // A hard link creates the file atomically, and the first writer wins.
    await nodeFiles.writeFile(own, randomBytes(SALT_BYTES), { mode: 0o600, flag: 'wx' });
    try {
      await nodeFiles.link(own, path).catch((thrown) => {
        if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
      });
    } finally {
      await nodeFiles.unlink(own);
    }
    const made = await nodeFiles.readFile(path);
    if (made.length !== SALT_BYTES) throw new Error(`it does not have ${SALT_BYTES} bytes`);
    return made;
  } catch (thrown) {
    throw new AgentCoreError(
      'config',
      `Could not keep the salt ${path}: ${getErrorMessage(thrown)}`,
      {
        cause: thrown,
      },
    );
  }
}
