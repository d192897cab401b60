import { lstat, mkdir, readFile, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AgentCoreError, describeFileError } from '../../base/errors.ts';
import { replaceFile } from '../../base/files.ts';

/** Configurations have a few kilobytes. A larger file is not a configuration. */
const MAX_FILE_BYTES = 10 * 1024 * 1024;

/**
 * Reads a client's configuration without its byte order mark. Returns an empty string if there is
 * no file.
 *
 * @throws {AgentCoreError} `config` if it is not a regular file of UTF-8 text.
 */
export async function readConfig(file: string): Promise<string> {
  const fail = (cause: string, details?: { readonly cause: unknown }) =>
    new AgentCoreError(
      'config',
      `Could not read ${file}: ${cause}. Nothing was written.`,
      details ?? {},
    );
  try {
    const found = await stat(file);
    if (!found.isFile()) throw fail('it is not a regular file');
    if (found.size > MAX_FILE_BYTES) throw fail('it is larger than 10 MB');
    const bytes = await readFile(file);
    const isUtf16 = [0xfffe, 0xfeff].includes(bytes.length > 1 ? bytes.readUInt16BE() : 0);
    if (isUtf16) throw fail('it is encoded in UTF-16: save it as UTF-8');
    const text = decode(bytes);
    if (text === undefined) throw fail('it is not encoded in UTF-8: save it as UTF-8');
    return text;
  } catch (thrown) {
    if (thrown instanceof AgentCoreError) throw thrown;
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw fail(describeFileError(thrown), { cause: thrown });
    }
    const isLink = await lstat(file).then(
      () => true,
      () => false,
    );
    if (isLink) throw fail('it is a link to a file that does not exist');
    return '';
  }
}

/**
 * Replaces the whole configuration. Follows links and keeps mode and owner.
 *
 * @param before The text from the read. If the file has changed since, it stays as it is.
 * @throws {AgentCoreError} `config` if it has changed or cannot be written.
 */
export async function writeConfig(file: string, before: string, after: string): Promise<void> {
  if ((await readConfig(file)) !== before) {
    throw new AgentCoreError(
      'config',
      `Could not write ${file}: another program has changed it meanwhile. Try again.`,
    );
  }
  await mkdir(dirname(file), { recursive: true }).catch((cause: unknown) => {
    const sentence = `Could not write ${file}: ${describeFileError(cause)}.`;
    throw new AgentCoreError('config', sentence, { cause });
  });
  const path = await realpath(file).catch(() => file);
  await replaceFile(path, after, await stat(path).catch(() => undefined));
}

function decode(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
