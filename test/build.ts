import { execFileSync } from 'node:child_process';

/** Builds the programs first, because tests run them as they are shipped. */
export default function build(): void {
  execFileSync(process.execPath, ['esbuild.mjs'], { stdio: 'inherit' });
}
