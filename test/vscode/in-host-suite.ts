import { resolve } from 'node:path';
import { build } from 'esbuild';

const OUTPUT = resolve('.vscode-test/in-host');

/**
 * Builds the tests that run inside the extension host, which cannot load TypeScript.
 *
 * @returns The value of `extensionTestsPath` for VS Code.
 */
export async function inHostSuite(): Promise<string> {
  await build({
    entryPoints: ['test/vscode/in-host/*.ts'],
    outdir: OUTPUT,
    // VS Code loads tests with `require`, below a package of ES modules.
    outExtension: { '.js': '.cjs' },
    format: 'cjs',
    bundle: true,
    platform: 'node',
    target: 'node22',
    external: ['vscode', 'mocha'],
    logLevel: 'warning',
  });
  return resolve(OUTPUT, 'run.cjs');
}
