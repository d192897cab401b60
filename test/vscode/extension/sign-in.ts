import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunFolder } from '../harness/run-folder.ts';
import type { Scene } from './use-agentcore.ts';

/**
 * Signs in as `ada` with the code that VS Code shows. The page of the identity center is in another
 * tab of the same browser.
 *
 * @returns The code.
 */
export async function allowDevice({ local, vsCode }: Scene): Promise<string> {
  const { dialog, page } = vsCode.workbench;
  const text = await dialog.text();
  const [, code = ''] = /^Sign in with the code ([A-Z]{4}-[A-Z]{4})/.exec(text) ?? [];
  await dialog.choose('Open Page');
  const context = page.context();
  await context.route(`${local.url}/**`, (route) => route.continue());
  const tab = await context.newPage();
  await tab.goto(`${local.url}/device?user_code=${code}`);
  await tab.locator('input[value=ada]').check();
  await tab.locator('button[value=approve]').click();
  await tab.getByText('You may close this page').waitFor();
  await tab.close();
  // A page in the background is not drawn, and cannot be clicked.
  await page.bringToFront();
  return code;
}

/** The access tokens of all cached logins, which are secret. */
export function keptTokens({ home }: RunFolder): readonly string[] {
  return loginFiles(home).flatMap(({ login: { accessToken, refreshToken } }) =>
    refreshToken === undefined ? [accessToken] : [accessToken, refreshToken],
  );
}

/** Makes the logins expire without a possible refresh. */
export function expireLogins({ home }: RunFolder): void {
  for (const { path, login } of loginFiles(home)) {
    const { refreshToken: _, ...rest } = login;
    const expiresAt = new Date(Date.now() - 60_000).toISOString();
    writeFileSync(path, JSON.stringify({ ...rest, expiresAt }));
  }
}

/** The format of the AWS CLI. */
interface Login {
  readonly accessToken: string;
  readonly refreshToken?: string;
}

/** The files of logins. The folder also contains client registrations. */
function loginFiles(home: string): readonly { readonly path: string; readonly login: Login }[] {
  const folder = join(home, '.aws', 'sso', 'cache');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => join(folder, name))
    .map((path) => ({ path, login: JSON.parse(readFileSync(path, 'utf8')) as Login }))
    .filter(({ login }) => login.accessToken !== undefined);
}
