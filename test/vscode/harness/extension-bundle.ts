import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** An extension of the tests: its sources, and the programs of which it is made. */
export interface TestExtension {
  readonly folder: string;
  readonly programs: readonly string[];
}

export const driverExtension: TestExtension = {
  folder: fileURLToPath(new URL('../driver-extension', import.meta.url)),
  programs: ['extension.ts'],
};

/**
 * Puts an extension where VS Code finds it without being told: in a folder of its own below
 * `extensions`, which nothing has been installed into yet.
 */
export async function bundleInto(extensions: string, { folder, programs }: TestExtension) {
  const manifest = readFileSync(join(folder, 'package.json'), 'utf8');
  const { publisher, name, version } = JSON.parse(manifest) as Record<string, string>;
  const outdir = join(extensions, `${publisher}.${name}-${version}`);
  await build({
    entryPoints: programs.map((program) => join(folder, program)),
    outdir,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    external: ['vscode'],
    logLevel: 'warning',
    // What is bundled from CommonJS asks for Node's own modules in its own way.
    banner: {
      js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
    },
  });
  writeFileSync(join(outdir, 'package.json'), manifest);
}
