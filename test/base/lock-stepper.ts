/**
 * Takes a lock once. Reports each look at the lock file, and the work under the lock, on stdout,
 * and waits for a byte on stdin after each report.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const file = process.argv[2] ?? '';
const { statSync } = fs;

function report(event: string): void {
  fs.writeSync(1, `${event}\n`);
  fs.readSync(0, Buffer.alloc(1));
}

Object.assign(fs, {
  statSync(path: string, options: object) {
    const stats = statSync(path, options);
    if (path === `${file}.lock`) report('looked');
    return stats;
  },
});
syncBuiltinESMExports();

// Imported late, so that it looks through the function above.
const { withFileLock: locked } = await import('../../src/base/files.ts');
await locked(file, AbortSignal.timeout(120_000), async () => report('inside'));
report('done');
