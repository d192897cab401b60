import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/**
 * A user's home directory with AWS profiles, as the environment of a program. It is removed after
 * the test.
 */
export function accountHome(
  endpoint: string,
  config: string,
  credentials = '',
): Record<string, string> {
  const home = mkdtempSync(join(tmpdir(), 'agentcore-accounts-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const folder = join(home, '.aws');
  mkdirSync(folder);
  writeFileSync(join(folder, 'config'), config);
  writeFileSync(join(folder, 'credentials'), credentials);
  return {
    HOME: home,
    USERPROFILE: home,
    AWS_CONFIG_FILE: join(folder, 'config'),
    AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'),
    AWS_ENDPOINT_URL: endpoint,
    AGENTCORE_STATE_DIR: join(home, 'state'),
  };
}

/** A section of the credentials file. */
export function keysOf(
  profile: string,
  { id, secret }: { readonly id: string; readonly secret: string },
) {
  return `[${profile}]\naws_access_key_id = ${id}\naws_secret_access_key = ${secret}\n`;
}
