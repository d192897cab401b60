import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

/** One entry a program; what programs share, and what they load late, lies in `dist/chunks`. */
const programs = ['proxy', 'bridge', 'cli'];

const { metafile } = await build({
  metafile: true,
  entryPoints: programs.map((name) => `src/programs/${name}.ts`),
  outdir: 'dist',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  mainFields: ['module', 'main'],
  // Names stay: stack traces can be read, and the AWS SDK looks at some of its own.
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  // What is bundled from CommonJS asks for Node's own modules in its own way.
  banner: {
    js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
  },
});

// What an earlier build left goes last, so that a program that is running never misses a part.
for (const entry of await readdir('dist', { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  if (entry.isFile() && !(path.replaceAll('\\', '/') in metafile.outputs)) await rm(path);
}
