import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, sep } from 'node:path';

const SRC = join(import.meta.dirname, '../../src');

/** A file of `src`, read as text. */
export interface SourceFile {
  /** Path below `src`, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly lines: number;
  /** Paths below `src` that the file imports, including late and type-only imports. */
  readonly imports: readonly string[];
}

/** All files of `src`, sorted by path. */
export function readSourceTree(): readonly SourceFile[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => path.split(sep).join('/'))
    .sort()
    .map((path) => {
      const text = readFileSync(join(SRC, path), 'utf8');
      return { path, text, lines: text.split('\n').length - 1, imports: findImports(path, text) };
    });
}

/** The first folder of a path below `src`. */
export function getTopFolder(path: string): string {
  return path.split('/')[0] ?? '';
}

function findImports(path: string, text: string): readonly string[] {
  const imports = new Set<string>();
  for (const [, specifier = ''] of text.matchAll(/(?:\bfrom|\bimport\()\s*'(\.[^']*)'/g)) {
    const target = posix.normalize(posix.join(dirname(path), specifier));
    if (!target.startsWith('..')) imports.add(target);
  }
  return [...imports];
}
