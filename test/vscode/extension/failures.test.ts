import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DEVELOPER, developerFiles, sampleServer, useAgentCore } from './use-agentcore.ts';

const READER = {
  id: 'AKIAREADERXXXEXAMPLE',
  secret: 'readers-secret-that-nobody-may-write-down',
  principal: 'arn:aws:iam::123456789012:user/reader',
  denied: ['bedrock-agentcore:InvokeAgentRuntime'],
};

const scene = useAgentCore(
  {
    accessKeys: [DEVELOPER, READER],
    runtimes: { notes: sampleServer() },
    sso: { users: { ada: { accounts: { '123456789012': { roles: { Developer: {} } } } } } },
  },
  (local) => {
    const { arn } = local.runtime('notes');
    const files = developerFiles('dev');
    const team = [
      '[sso-session corp]',
      `sso_start_url = ${local.sso.startUrl}`,
      `sso_region = ${local.sso.region}`,
      'sso_registration_scopes = sso:account:access',
      '[profile team]',
      'sso_session = corp',
      'sso_account_id = 123456789012',
      'sso_role_name = Developer',
      'region = us-east-1',
      '[profile reader]',
      'region = us-east-1',
    ];
    const reader = [
      '[reader]',
      `aws_access_key_id = ${READER.id}`,
      `aws_secret_access_key = ${READER.secret}`,
    ];
    return {
      home: {
        '.aws/config': `${files['.aws/config']}${team.join('\n')}\n`,
        '.aws/credentials': `${files['.aws/credentials']}${reader.join('\n')}\n`,
      },
      machineSettings: {
        'agentcore.runtimes': [
          { name: 'ghost', arn, profile: 'nobody' },
          { name: 'denied', arn, profile: 'reader' },
          { name: 'dead', arn, profile: 'dev', endpointUrl: 'http://127.0.0.1:9', retries: 0 },
          { name: 'team', arn, profile: 'team' },
        ],
      },
      name: 'failures',
    };
  },
);

beforeEach(async () => {
  await scene().vsCode.workbench.openContainer('AgentCore');
});

afterEach(async () => {
  await scene().vsCode.driver.run(({ commands }) =>
    commands.executeCommand('notifications.clearAll'),
  );
});

describe('a server that cannot start', () => {
  test.each([
    {
      name: 'ghost',
      says: /^Runtime "ghost" uses profile "nobody", which is not in .*config: /,
      buttons: ['Pick Another Profile', 'Open Profiles', 'Show Logs'],
    },
    {
      name: 'denied',
      says: /^Runtime "denied" does not let its credentials call it$/,
      buttons: ['Show Output', 'Show Logs'],
    },
    {
      name: 'dead',
      says: /^Runtime "dead" could not be reached: its output says why$/,
      buttons: ['Show Output', 'Network Settings', 'Show Logs'],
    },
  ])('$name says why, with a button that helps', async ({ name, says, buttons }) => {
    const { notifications, view } = parts();
    await view('Runtimes').runInlineAction(name, 'Start Server');
    expect(await notifications.waitFor(`Runtime "${name}"`)).toMatch(says);
    expect(await notifications.buttons(`Runtime "${name}"`)).toEqual(buttons);
  });
});

describe('single sign-on', () => {
  test('a server whose login is missing starts once somebody has signed in', async () => {
    const { local, vsCode } = scene();
    const { notifications, dialog, view } = parts();
    await view('Credentials').waitForDescription('corp', /signed out/);
    await view('Runtimes').runInlineAction('team', 'Start Server');
    expect(await notifications.buttons('profile team')).toContain('Sign In');
    await notifications.press('profile team', 'Sign In');
    const text = await dialog.text();
    const code = /[A-Z]{4}-[A-Z]{4}/.exec(text)?.[0] ?? '';
    expect(text).toContain('Sign in with the code');
    await dialog.choose('Open Page');
    await allow(`${local.url}/device?user_code=${code}`);
    await view('Runtimes').waitForDescription('team', /^running/);
    await view('Credentials').waitForDescription('corp', /signed in/);
    const told = await vsCode.driver.run(({ env }) => env.clipboard.readText());
    expect(told).toBe(code);
    expect(local.sso.tokens).toMatchObject([{ user: 'ada' }]);
  });
});

test('no secret is in what VS Code, the extension and its servers have written', () => {
  const { folder } = scene().vsCode;
  const secrets = [DEVELOPER.secret, READER.secret];
  const found: string[] = [];
  for (const part of [folder.data, folder.state, folder.workspace, folder.extensions]) {
    for (const entry of readdirSync(part, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const text = readFileSync(path, 'latin1');
      if (secrets.some((secret) => text.includes(secret))) found.push(path);
    }
  }
  expect(found).toEqual([]);
});

function parts() {
  const { workbench } = scene().vsCode;
  return { ...workbench, view: (title: string) => workbench.view(title) };
}

/** Allows the device on the page of the identity center, in another tab of the same browser. */
async function allow(url: string): Promise<void> {
  const { workbench } = scene().vsCode;
  const context = workbench.page.context();
  await context.route(`${scene().local.url}/**`, (route) => route.continue());
  const tab = await context.newPage();
  await tab.goto(url);
  await tab.locator('input[value=ada]').check();
  await tab.locator('button[value=approve]').click();
  await tab.getByText('You may close this page').waitFor();
  await tab.close();
}
