import { readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

/** One entry a program; what programs share, and what they load late, lies in `dist/chunks`. */
const entryPoints = [
  ...['proxy', 'bridge', 'cli'].map((name) => ({ in: `src/programs/${name}.ts`, out: name })),
  { in: 'src/extension/extension.ts', out: 'extension' },
  // What the extension's "Try It Without AWS" runs on the local AgentCore.
  { in: 'examples/runtimes/stateful/server.ts', out: 'sample-server' },
];

/** Errors are told in English, and not in fifty languages that nobody chose. */
const englishOnly = {
  name: 'english-only',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js';",
      loader: 'js',
    }));
  },
};

/** What tells browsers from each other is of no use in Node. */
const noBrowsers = {
  name: 'no-browsers',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^bowser$/ }, () => ({ path: 'bowser', namespace: 'empty' }));
    onLoad({ filter: /.*/, namespace: 'empty' }, () => ({ contents: 'export default {};' }));
  },
};

/** The client checks schemas with the small validator that it has for workers, and not with the large. */
const smallValidator = {
  name: 'small-validator',
  setup({ onLoad }) {
    onLoad(
      { filter: /@modelcontextprotocol[\\/]client[\\/]dist[\\/]shimsNode\.mjs$/ },
      ({ path }) => ({
        contents: `export const CORS_IS_POSSIBLE = false;
        export { CfWorkerJsonSchemaValidator as DefaultJsonSchemaValidator } from '@modelcontextprotocol/client/validators/cf-worker';`,
        resolveDir: dirname(path),
        loader: 'js',
      }),
    );
  },
};

const { metafile } = await build({
  metafile: true,
  entryPoints,
  outdir: 'dist',
  entryNames: '[name]',
  // vsce takes a hundred files that end in .js for a bundler that was forgotten.
  outExtension: { '.js': '.mjs' },
  external: ['vscode'],
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  mainFields: ['module', 'main'],
  minify: true,
  // The AWS SDK looks at some names of its own.
  keepNames: true,
  legalComments: 'none',
  plugins: [englishOnly, noBrowsers, smallValidator],
  // What is bundled from CommonJS asks for Node's own modules in its own way.
  banner: {
    js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
  },
});

const written = new Set(Object.keys(metafile.outputs));
// The programs have the names by which clients start them.
for (const [path, { entryPoint }] of Object.entries(metafile.outputs)) {
  if (!entryPoints.some((program) => program.in === entryPoint)) continue;
  const name = path.replace(/\.mjs$/, '.js');
  await rename(path, name);
  written.add(name);
}

// What an earlier build left goes last, so that a program that is running never misses a part.
for (const entry of await readdir('dist', { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  if (entry.isFile() && !written.has(path.replaceAll('\\', '/'))) await rm(path);
}
