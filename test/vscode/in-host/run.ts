import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import Mocha from 'mocha';

/** Called by VS Code inside the extension host. */
export async function run(): Promise<void> {
  const mocha = new Mocha({ ui: 'tdd', timeout: 30_000, reporter: 'spec' });
  for (const name of await readdir(__dirname)) {
    if (name.endsWith('.suite.cjs')) mocha.addFile(join(__dirname, name));
  }
  const failures = await new Promise<number>((resolve) => mocha.run(resolve));
  if (failures > 0) throw new Error(`${failures} tests failed in the extension host`);
}
