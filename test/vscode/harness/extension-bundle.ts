import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** A test extension: its sources and its programs. */
export interface TestExtension {
  readonly folder: string;
  readonly programs: readonly string[];
}

export const driverExtension: TestExtension = {
  folder: fileURLToPath(new URL('../driver-extension', import.meta.url)),
  programs: ['extension.ts'],
};

/**
 * Writes an extension into its own folder below `extensions`, where VS Code finds it. No extension
 * may be installed there yet.
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
    // Modules bundled from CommonJS load Node's modules with `require`.
    banner: {
      js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
    },
  });
  writeFileSync(join(outdir, 'package.json'), manifest);
}
