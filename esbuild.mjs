import { rm } from 'node:fs/promises';
import { build } from 'esbuild';

/** One entry a program; what programs share, and what they load late, lies in `dist/chunks`. */
const programs = ['proxy'];

await rm('dist', { recursive: true, force: true });
await build({
  entryPoints: programs.map((name) => `src/programs/${name}.ts`),
  outdir: 'dist',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  mainFields: ['module', 'main'],
  minify: true,
  keepNames: true,
  legalComments: 'none',
  // What is bundled from CommonJS asks for Node's own modules in its own way.
  banner: {
    js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
  },
});
