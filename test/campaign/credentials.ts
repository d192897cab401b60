import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Two keys of the same user, so that credentials can be refreshed. */
export const accessKeys = [
  { id: 'AKIACAMPAIGNEXAMPLE1', secret: 'not-a-secret' },
  { id: 'AKIACAMPAIGNEXAMPLE2', secret: 'nor-is-this' },
];

/** Writes a profile `rotating` with a process that returns the two keys alternately. */
export function writeRotatingKeys(folder: string): void {
  const program = join(folder, 'keys.mjs');
  const answers = accessKeys.map(({ id, secret }) =>
    JSON.stringify({ Version: 1, AccessKeyId: id, SecretAccessKey: secret }),
  );
  writeFileSync(
    program,
    `console.log(${JSON.stringify(answers)}[Math.floor(Date.now() / 10) % ${answers.length}]);\n`,
  );
  writeFileSync(
    join(folder, 'config'),
    `[profile rotating]\ncredential_process = "${process.execPath}" "${program}"\n`,
  );
}
