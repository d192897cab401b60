import { statSync } from 'node:fs';

/** Returns a fingerprint that changes when a file is written, replaced, created or deleted. */
export function getFileFingerprint(paths: Iterable<string>): string {
  return [...paths].map(getPathFingerprint).join('\n');
}

function getPathFingerprint(path: string): string {
  try {
    // Most of these files do not exist, and creating an error takes longer than the check.
    const status = statSync(path, { throwIfNoEntry: false });
    // The change time differs even if an edit keeps the size and resets the modification time.
    return status
      ? `${path} ${status.mtimeMs} ${status.ctimeMs} ${status.size} ${status.ino}`
      : path;
  } catch {
    return path;
  }
}
