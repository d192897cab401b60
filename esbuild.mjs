import { readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { build } from 'esbuild';

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

/** Modules that never run here: bowser identifies browsers, and all schemas are those of zod 4. */
const unused = {
  name: 'unused',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(bowser|zod\/v3|zod-to-json-schema)$/ }, ({ path }) => ({
      path,
      namespace: 'unused',
    }));
    onLoad({ filter: /.*/, namespace: 'unused' }, () => ({ contents: 'module.exports = {};' }));
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

/** Of its own manifest, no program reads more than the version. */
const versionOnly = {
  name: 'version-only',
  setup({ onLoad }) {
    const manifest = join(import.meta.dirname, 'package.json');
    onLoad({ filter: /package\.json$/ }, async ({ path }) => {
      if (path !== manifest) return undefined;
      const { version } = JSON.parse(await readFile(path, 'utf8'));
      return { contents: JSON.stringify({ version }), loader: 'json' };
    });
  },
};

/** @type {import('esbuild').BuildOptions} */
const options = {
  metafile: true,
  outdir: 'dist',
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  mainFields: ['module', 'main'],
  minify: true,
  legalComments: 'none',
  plugins: [englishOnly, unused, smallValidator, versionOnly],
};

/** What the extension loads late: where it lies in `dist`, by its path. */
const late = new Map();

/** Leaves to the programs' build what the extension loads late, because they share nearly all of it. */
const leaveLate = {
  name: 'leave-late',
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^\./ }, async ({ kind, path, pluginData, ...place }) => {
      if (kind !== 'dynamic-import' || pluginData === leaveLate) return undefined;
      const found = await resolve(path, { ...place, kind, pluginData: leaveLate });
      if (found.errors.length > 0) return { errors: found.errors };
      const source = relative('src', found.path).replaceAll('\\', '/');
      const name = `late/${source.replace(/\.ts$/, '')}`;
      late.set(found.path, name);
      return { path: `./${name}.mjs`, external: true };
    });
  },
};

/**
 * The extension's own part is one file: VS Code waits for it when it activates, and looks each file
 * up by itself.
 */
const extension = await build({
  ...options,
  entryPoints: [{ in: 'src/extension/extension.ts', out: 'extension' }],
  external: ['vscode'],
  plugins: [...options.plugins, leaveLate],
});

/** One entry a program; what they share, and what they load late, lies in `dist/chunks`. */
const programs = [
  ...['programs/proxy', 'programs/bridge', 'cli/cli'].map((path) => ({
    in: `src/${path}.ts`,
    out: basename(path),
  })),
  // What the extension's "Try It Without AWS" runs on the local AgentCore.
  { in: 'examples/runtimes/stateful/server.ts', out: 'sample-server' },
];
const shared = await build({
  ...options,
  entryPoints: [...programs, ...Array.from(late, ([path, name]) => ({ in: path, out: name }))],
  // The AWS SDK looks at some names of its own.
  keepNames: true,
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  // vsce takes a hundred files that end in .js for a bundler that was forgotten.
  outExtension: { '.js': '.mjs' },
  // What is bundled from CommonJS asks for Node's own modules in its own way.
  banner: {
    js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
  },
});

const written = new Set(
  [extension, shared].flatMap(({ metafile }) => Object.keys(metafile.outputs)),
);
// The programs have the names by which clients start them.
for (const { out } of programs) {
  await rename(`dist/${out}.mjs`, `dist/${out}.js`);
  written.add(`dist/${out}.js`);
}

// What an earlier build left goes last, so that a program that is running never misses a part.
for (const entry of await readdir('dist', { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  if (entry.isFile() && !written.has(path.replaceAll('\\', '/'))) await rm(path);
}
