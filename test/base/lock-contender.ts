/** Takes a lock repeatedly, and fails if another process holds it at the same time. */
import { appendFileSync, closeSync, openSync, rmSync, utimesSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { withFileLock } from '../../src/base/files.ts';

const file = process.argv[2] ?? '';
const LONG_AGO = new Date(0);

for (let round = 0; round < 25; round++) {
  await withFileLock(file, AbortSignal.timeout(120_000), async () => {
    closeSync(openSync(`${file}.inside`, 'wx'));
    await setImmediate();
    appendFileSync(`${file}.entries`, '.');
    rmSync(`${file}.inside`);
    // Every other holder appears to be dead to the other processes.
    if (round % 2 === 1) utimesSync(`${file}.lock`, LONG_AGO, LONG_AGO);
  });
}
