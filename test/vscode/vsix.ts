import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createVSIX } from '@vscode/vsce';
import type { TestProject } from 'vitest/node';
import { layout } from './install/layout.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The path of the packaged extension. */
    readonly vsix: string;
  }
}

const checkout = fileURLToPath(new URL('../..', import.meta.url));

/** Builds and packages the extension first, because tests install it as it is shipped. */
export default async function vsix(project: TestProject): Promise<void> {
  project.provide('vsix', await packageExtension());
}

/** Packages like `npm run package`, to a path that git ignores. Returns the path. */
export async function packageExtension(): Promise<string> {
  execFileSync(process.execPath, ['esbuild.mjs'], { cwd: checkout, stdio: 'inherit' });
  const packagePath = join(layout.root, 'agentcore-mcp.vsix');
  await createVSIX({ cwd: checkout, packagePath, dependencies: false });
  return packagePath;
}
