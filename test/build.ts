import { execFileSync } from 'node:child_process';

/** Tests run the programs as they are shipped, so they are built first. */
export default function build(): void {
  execFileSync(process.execPath, ['esbuild.mjs'], { stdio: 'inherit' });
}
