import { statSync } from 'node:fs';

/** A text that is another one once any of the files has been written, replaced, made or removed. */
export function stampOf(paths: Iterable<string>): string {
  return [...paths].map(stamp).join('\n');
}

function stamp(path: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(path);
    return `${path} ${mtimeMs} ${size} ${ino}`;
  } catch {
    return path;
  }
}
