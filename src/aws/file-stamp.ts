import { statSync } from 'node:fs';

/** A text that is another one once any of the files has been written, replaced, made or removed. */
export function stampOf(paths: Iterable<string>): string {
  return [...paths].map(stamp).join('\n');
}

function stamp(path: string): string {
  try {
    // Most that could be there are not, and to make an error of that takes longer than to look.
    const status = statSync(path, { throwIfNoEntry: false });
    // The change time differs even if an edit keeps the size and sets the modification time back.
    return status
      ? `${path} ${status.mtimeMs} ${status.ctimeMs} ${status.size} ${status.ino}`
      : path;
  } catch {
    return path;
  }
}
