import { readdir, readFile, rename, rm } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { build } from 'esbuild';

/** Bundles the error messages of zod in English only. */
const englishOnly = {
  name: 'english-only',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js';",
      loader: 'js',
    }));
  },
};

/** Modules that never run: bowser identifies browsers, and all schemas are those of zod 4. */
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

/** Lets the MCP client check schemas with its small validator for workers. */
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

/**
 * Takes Node's modules from `process.getBuiltinModule`. An `import` reads every export of a module,
 * and the getters of `node:http` load a second HTTP client, which takes longer than all our code.
 */
const builtinModules = {
  name: 'builtin-modules',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /.*/ }, ({ path, kind, importer }) => {
      if (kind !== 'import-statement' || !isBuiltin(path)) return undefined;
      // One for each package, so that our own ones become part of our chunks.
      const [owner = ''] = /[\\/]node_modules[\\/].*$/.exec(dirname(importer)) ?? [];
      return { path: path + owner, namespace: 'builtin', sideEffects: false, pluginData: path };
    });
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ pluginData: path }) => {
      const names = Object.keys(process.getBuiltinModule(path)).filter(
        (name) => name !== 'default',
      );
      const exports = names.map(
        (name) => `export const ${name} = /* @__PURE__ */ $get('${name}');`,
      );
      const contents = [
        `const $module = process.getBuiltinModule('${path}');`,
        'const $get = (name) => $module[name];',
        'export default $module;',
        ...exports,
      ].join('\n');
      return { contents, loader: 'js' };
    });
  },
};

/** Replaces the project's own manifest by its version, the only member that a program reads. */
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
  plugins: [englishOnly, unused, smallValidator, versionOnly, builtinModules],
};

/** The modules that the first files load later: their paths in `dist`, by source path. */
const late = new Map();

/** Makes each dynamic import of our own modules a file of the second build, which shares chunks. */
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
 * The files that are started: one file each, because Node and VS Code look each file up by itself.
 * The programs enable the compile cache before they load the rest.
 */
const first = await build({
  ...options,
  entryPoints: [
    { in: 'src/extension/extension.ts', out: 'extension' },
    ...['programs/proxy', 'programs/bridge', 'cli/cli'].map((path) => ({
      in: `src/${path}.ts`,
      out: basename(path),
    })),
  ],
  external: ['vscode'],
  plugins: [...options.plugins, leaveLate],
});

/** One chunk each: these modules with all their static imports, without those of groups above. */
const groups = [
  // The path of a call.
  ['programs/run-proxy'],
  ['policy/governance'],
  ['aws/credentials/provider-chain', 'aws/credentials/caller-identity'],
  ['aws/sso/login', 'aws/sso/portal-client'],
  ['aws/discovery/discovery'],
  ['local/local-runtime'],
].map((roots) => roots.map((root) => `src/${root}.ts`));

/** @type {import('esbuild').BuildOptions} */
const lateOptions = {
  ...options,
  entryPoints: [
    ...Array.from(late, ([path, name]) => ({ in: path, out: name })),
    // The runtime of "Try It Without AWS" in the extension.
    { in: 'examples/runtimes/stateful/server.ts', out: 'sample-server' },
  ],
  // The AWS SDK reads the names of some of its functions.
  keepNames: true,
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  // vsce warns about packages with a hundred files that end in .js.
  outExtension: { '.js': '.mjs' },
  // Bundled CommonJS modules call `require` for Node's modules.
  banner: {
    js: "const require=process.getBuiltinModule('module').createRequire(import.meta.url);",
  },
};

/**
 * Keeps each group in one chunk. esbuild puts modules into the same chunk if the same entries need
 * them. So each entry that needs a part of a group imports all of it.
 */
function groupChunks({ inputs, outputs }) {
  const findStaticImports = (path, found = new Set()) => {
    if (found.has(path) || !(path in inputs)) return found;
    found.add(path);
    for (const { path: next, kind, external } of inputs[path].imports) {
      if (kind !== 'dynamic-import' && !external) findStaticImports(next, found);
    }
    return found;
  };
  const taken = new Set();
  const members = groups.map((roots) => {
    const all = new Set(roots.flatMap((root) => [...findStaticImports(root)]));
    // Packages that several groups share stay chunks of their own.
    const own = [...all].filter((path) => path.startsWith('src/') && !taken.has(path));
    for (const path of own) taken.add(path);
    return new Set(own);
  });
  const entries = new Set(Object.values(outputs).flatMap(({ entryPoint }) => entryPoint ?? []));
  return {
    name: 'group-chunks',
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/, namespace: 'file' }, async ({ path }) => {
        const file = relative('.', path).replaceAll('\\', '/');
        if (!file.startsWith('src/') || !entries.has(file)) return undefined;
        const needed = findStaticImports(file);
        // The programs load the first group in any case.
        const imports = groups
          .filter((_, index) => index === 0 || !members[index].isDisjointFrom(needed))
          .flat()
          .map((root) => `import ${JSON.stringify(resolve(root))};`);
        return { contents: [await readFile(path, 'utf8'), ...imports].join('\n'), loader: 'ts' };
      });
    },
  };
}

const { metafile } = await build({ ...lateOptions, minify: false, write: false });
const second = await build({
  ...lateOptions,
  plugins: [groupChunks(metafile), ...lateOptions.plugins],
});

const written = new Set(
  [first, second].flatMap(({ metafile: { outputs } }) => Object.keys(outputs)),
);
// It is started like the programs.
await rename('dist/sample-server.mjs', 'dist/sample-server.js');
written.add('dist/sample-server.js');

// The files of an earlier build are removed last, because a running program may still load one.
for (const entry of await readdir('dist', { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  if (entry.isFile() && !written.has(path.replaceAll('\\', '/'))) await rm(path);
}
