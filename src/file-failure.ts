import { getErrorMessage } from './error.ts';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'there is no such file or folder',
  EISDIR: 'it is a folder, not a file',
  EACCES: 'you have no right to',
  EPERM: 'you have no right to',
};

/** The reason of a file error, to follow the path and a colon. */
export function describeFileError(thrown: unknown): string {
  const { code } = (thrown ?? {}) as NodeJS.ErrnoException;
  return REASONS[code ?? ''] ?? getErrorMessage(thrown);
}
