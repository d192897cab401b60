import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

export interface Programs {
  /** What runs in the microVMs. */
  readonly container: string;
  readonly relay: string;
}

/**
 * Bundles the benchmark's own programs into `directory`. Run from their TypeScript they would
 * carry Node's type stripper (15 MB) and load many modules: no fair baseline for a bundle.
 */
export function buildPrograms(directory: string): Programs {
  buildSync({
    entryPoints: {
      container: fileURLToPath(new URL('./container.ts', import.meta.url)),
      relay: fileURLToPath(new URL('./reference-relay.ts', import.meta.url)),
    },
    outdir: directory,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    logLevel: 'warning',
  });
  return { container: join(directory, 'container.mjs'), relay: join(directory, 'relay.mjs') };
}
