import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import Mocha from 'mocha';

/**
 * VS Code calls this inside the extension host.
 *
 * @returns The number of passed tests.
 * @throws If a test failed, with its failures.
 */
export async function run(): Promise<number> {
  const mocha = new Mocha({ ui: 'tdd', timeout: 30_000, reporter: 'spec' });
  for (const name of await readdir(__dirname)) {
    if (name.endsWith('.suite.cjs')) mocha.addFile(join(__dirname, name));
  }
  const failures: string[] = [];
  let passes = 0;
  await new Promise((resolve) => {
    mocha
      .run(resolve)
      .on('pass', () => {
        passes += 1;
      })
      .on('fail', (test, error) => failures.push(`${test.fullTitle()}: ${error.message}`));
  });
  if (failures.length > 0) throw new Error(`Failed in the extension host: ${failures.join('; ')}`);
  return passes;
}
