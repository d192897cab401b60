import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import JSZip from 'jszip';

const run = promisify(execFile);
const NPM = process.platform === 'win32' ? 'npm.cmd' : 'npm';

/** A package as it would be published, unpacked as it would be installed. */
export interface Unpacked {
  /** Sorted paths of its files, with `/`. */
  readonly paths: readonly string[];
  /** The size of the package file in bytes. */
  readonly size: number;
  /** The folder into which it is unpacked. */
  readonly folder: string;
  /** The output of the packaging command. */
  readonly output: string;
  /** Removes all files. */
  readonly remove: () => Promise<void>;
}

/** The packaged extension, built from `dist`. */
export async function unpackedVsix(): Promise<Unpacked> {
  const folder = await temporaryFolder();
  const path = join(folder, 'extension.vsix');
  const vsce = resolve('node_modules/@vscode/vsce/vsce');
  const { stdout, stderr } = await run(
    process.execPath,
    [vsce, 'package', '--no-dependencies', '--out', path],
    { timeout: 240_000 },
  );
  const bytes = await readFile(path);
  const { files } = await JSZip.loadAsync(bytes);
  const paths = Object.keys(files)
    .filter((name) => !files[name]?.dir)
    .sort();
  for (const name of paths) {
    const target = join(folder, name);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, (await files[name]?.async('nodebuffer')) ?? '');
  }
  const remove = () => removed(folder);
  return { paths, size: bytes.length, folder, output: stdout + stderr, remove };
}

/** The npm package, built from `dist`, installed in an empty project. */
export async function installedTarball(): Promise<Unpacked> {
  const folder = await temporaryFolder();
  const npm = (args: readonly string[], cwd: string) =>
    run(NPM, [...args], { cwd, timeout: 240_000, shell: process.platform === 'win32' });
  const packed = await npm(['pack', '--json', '--pack-destination', folder], process.cwd());
  const [tarball] = JSON.parse(packed.stdout) as [PackedTarball];
  await writeFile(join(folder, 'package.json'), '{"private":true}');
  const options = ['--offline', '--no-audit', '--no-fund', '--ignore-scripts'];
  await npm(['install', ...options, join(folder, tarball.filename)], folder);
  return {
    paths: tarball.files.map(({ path }) => path).sort(),
    size: tarball.size,
    folder,
    output: packed.stderr,
    remove: () => removed(folder),
  };
}

/** The output of `npm pack --json`. */
interface PackedTarball {
  readonly filename: string;
  readonly size: number;
  readonly files: readonly { readonly path: string }[];
}

/** The paths that match no expected file. */
export function unexpected(paths: readonly string[], expected: readonly RegExp[]): string[] {
  return paths.filter((path) => !expected.some((pattern) => pattern.test(path)));
}

/** The expected patterns that match no path. */
export function unmatched(paths: readonly string[], expected: readonly RegExp[]): RegExp[] {
  return expected.filter((pattern) => !paths.some((path) => pattern.test(path)));
}

function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'agentcore-mcp-package-'));
}

function removed(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true, maxRetries: 5 });
}
