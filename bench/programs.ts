import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

export interface Programs {
  /** What runs in the microVMs. */
  readonly container: string;
  readonly bare: string;
}

/**
 * Bundles the benchmark's own programs into `directory`. Run from their TypeScript they would
 * carry Node's type stripper (15 MB) and load a hundred modules: no fair baseline for a bundle.
 */
export function buildPrograms(directory: string): Programs {
  buildSync({
    entryPoints: {
      container: fileURLToPath(new URL('./container.ts', import.meta.url)),
      bare: fileURLToPath(new URL('./bare-process.ts', import.meta.url)),
    },
    outdir: directory,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    logLevel: 'warning',
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
  return { container: join(directory, 'container.mjs'), bare: join(directory, 'bare.mjs') };
}
