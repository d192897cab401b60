import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { leaveOrphan } from './orphan.ts';
import { allowDevice, expireLogins, keptTokens } from './sign-in.ts';
import { DEVELOPER, developerFiles, sampleServer, useAgentCore } from './use-agentcore.ts';
import { filesWithSecrets, holdsSecret } from './written-secrets.ts';

const READER = {
  id: 'AKIAREADERXXXEXAMPLE',
  secret: 'readers-secret-that-nobody-may-write-down',
  principal: 'arn:aws:iam::123456789012:user/reader',
  denied: ['bedrock-agentcore:InvokeAgentRuntime'],
};

/** The fields of a temporary access key besides its secret. */
const TEMPORARY = {
  id: 'ASIATEMPORARYEXAMPLE',
  secret: 'temporary-secret-that-nobody-may-write-down',
  sessionToken: 'session-token-that-nobody-may-write-down',
  principal: 'arn:aws:iam::123456789012:user/temporary',
};
const CLIENT_SECRET = 'client-secret-that-nobody-may-write-down';

const scene = useAgentCore(
  {
    accessKeys: [DEVELOPER, READER, TEMPORARY],
    runtimes: { notes: sampleServer(), guarded: sampleServer({ authorizer: 'JWT' }) },
    oauth: { clients: { ci: { secret: CLIENT_SECRET } } },
    sso: {
      users: {
        ada: {
          accounts: {
            '123456789012': { name: 'Development', roles: { Developer: {}, Reader: {} } },
            '210987654321': { name: 'Production', roles: { Reader: {} } },
          },
        },
      },
    },
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
      '[profile temporary]',
      'region = us-east-1',
    ];
    const keys = [
      '[reader]',
      `aws_access_key_id = ${READER.id}`,
      `aws_secret_access_key = ${READER.secret}`,
      '[temporary]',
      `aws_access_key_id = ${TEMPORARY.id}`,
      `aws_secret_access_key = ${TEMPORARY.secret}`,
      `aws_session_token = ${TEMPORARY.sessionToken}`,
    ];
    const guarded = local.runtime('guarded').arn;
    return {
      home: {
        '.aws/config': `${files['.aws/config']}${team.join('\n')}\n`,
        '.aws/credentials': `${files['.aws/credentials']}${keys.join('\n')}\n`,
      },
      machineSettings: {
        'agentcore.runtimes': [
          { name: 'ghost', arn, profile: 'nobody' },
          { name: 'denied', arn, profile: 'reader' },
          { name: 'dead', arn, profile: 'dev', endpointUrl: 'http://127.0.0.1:9', retries: 0 },
          { name: 'team', arn, profile: 'team' },
          { name: 'temporary', arn, profile: 'temporary' },
          { name: 'guarded', arn: guarded, authorization: { type: 'oauth', clientId: 'ci' } },
        ],
      },
      name: 'failures',
    };
  },
);

/** All secrets of the tests so far. */
const secrets = [
  DEVELOPER.secret,
  READER.secret,
  TEMPORARY.secret,
  TEMPORARY.sessionToken,
  CLIENT_SECRET,
];

beforeAll(async () => {
  // All files that can be written are searched for secrets.
  const { quickInput, palette } = parts();
  await palette.run('Developer: Set Log Level...');
  await quickInput.pick('Trace');
});

beforeEach(async () => {
  await scene().vsCode.workbench.openContainer('AgentCore');
});

afterEach(async () => {
  secrets.push(...keptTokens(scene().vsCode.folder));
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
      says: /^Access denied: the credentials of runtime "denied" may not call it$/,
      buttons: ['Show Output', 'Copy Missing Statement', 'Show Logs'],
    },
    {
      name: 'dead',
      says: /^Could not reach runtime "dead"\. See the output of its server for the reason\.$/,
      buttons: ['Show Output', 'Network Settings', 'Show Logs'],
    },
  ])('$name shows the reason with a button for the next step', async ({ name, says, buttons }) => {
    const { notifications, view } = parts();
    await view('Runtimes').runInlineAction(name, 'Start Server');
    expect(await notifications.waitFor(`Runtime "${name}"`)).toMatch(says);
    expect(await notifications.buttons(`Runtime "${name}"`)).toEqual(buttons);
  });
});

test('the missing IAM statement of a denied runtime can be copied', async () => {
  const { driver } = scene().vsCode;
  const { notifications, view } = parts();
  await view('Runtimes').runInlineAction('denied', 'Start Server');
  await notifications.press('Runtime "denied"', 'Copy Missing Statement');
  await notifications.waitFor('Copied. Add it to the policy');
  const { arn } = scene().local.runtime('notes');
  expect(JSON.parse(await driver.run(({ env }) => env.clipboard.readText()))).toMatchObject({
    Effect: 'Allow',
    Action: 'bedrock-agentcore:InvokeAgentRuntime',
    Resource: [arn, `${arn}/runtime-endpoint/DEFAULT`],
  });
});

test('the failure is in the log', async () => {
  const { notifications, output, view } = parts();
  await view('Runtimes').runInlineAction('dead', 'Start Server');
  await notifications.press('Runtime "dead"', 'Show Logs');
  const text = await output.waitFor('agentcore.startServer: Could not reach runtime "dead"');
  expect(holdsSecret(text, secrets)).toBe(false);
});

test('a missing client secret is prompted for, and its server starts with it', async () => {
  const { notifications, quickInput, view } = parts();
  await view('Runtimes').runInlineAction('guarded', 'Start Server');
  const sentence = 'Could not start runtime "guarded"';
  expect(await notifications.waitFor(sentence)).toMatch(
    /its client secret is not stored here\. Enter it\.$/,
  );
  await notifications.press(sentence, 'Enter Client Secret');
  await quickInput.waitForTitle('Client Secret of guarded');
  await quickInput.type(CLIENT_SECRET);
  await quickInput.accept();
  await view('Runtimes').waitForDescription('guarded', /^running/);
  expect(holdsSecret(await outputOf('guarded'), secrets)).toBe(false);
});

test('the output of a server does not contain its session token', async () => {
  const { view } = parts();
  await view('Runtimes').runInlineAction('temporary', 'Start Server');
  await view('Runtimes').waitForDescription('temporary', /^running/);
  expect(holdsSecret(await outputOf('temporary'), secrets)).toBe(false);
});

describe('single sign-on', () => {
  test('a server without a login starts after the user has signed in', async () => {
    const { local, vsCode } = scene();
    const { notifications, view } = parts();
    await view('Credentials').waitForDescription('corp', /signed out/);
    await view('Runtimes').runInlineAction('team', 'Start Server');
    const sentence = 'The login of profile "team" is missing or has expired';
    expect(await notifications.waitFor('profile "team"')).toBe(sentence);
    await notifications.press(sentence, 'Sign In');
    const code = await allowDevice(scene());
    await view('Runtimes').waitForDescription('team', /^running/);
    await view('Credentials').waitForDescription('corp', /signed in/);
    expect(await vsCode.driver.run(({ env }) => env.clipboard.readText())).toBe(code);
    expect(local.sso.tokens).toMatchObject([{ user: 'ada' }]);
  });

  test('a profile is added for a role of the login, and each step has a Back button', async () => {
    const { notifications, quickInput, view } = parts();
    await view('Credentials').chooseFromMenu('corp', 'Add Profile…');
    await quickInput.waitFor('Account');
    await quickInput.pick('Production');
    await quickInput.waitFor('Role in Production');
    await quickInput.back();
    await quickInput.waitFor('Account');
    await quickInput.pick('Development');
    await quickInput.waitFor('Role in Development');
    await quickInput.pick('Reader');
    await quickInput.waitForMessage('The region of its runtimes');
    await quickInput.type('us-west-2');
    await quickInput.accept();
    await quickInput.waitForMessage('Name of the profile');
    await quickInput.back();
    await quickInput.waitForValue('us-west-2');
    await quickInput.accept();
    await quickInput.waitForValue('Development-Reader');
    await quickInput.type('team');
    await quickInput.waitForMessage('It will be replaced');
    await quickInput.type('development');
    await quickInput.accept();
    await notifications.waitFor('Profile "development" is in');
    await view('Credentials').waitForDescription('development', /^SSO · us-west-2$/);
    const config = readFileSync(join(scene().vsCode.folder.home, '.aws/config'), 'utf8');
    expect(config).toMatch(/\[profile development\]\nsso_session = corp\n/);
  });

  test('an expired login is shown, and a click signs in and starts the server', async () => {
    const { folder } = scene().vsCode;
    const { notifications, view } = parts();
    await view('Runtimes').runInlineAction('team', 'Stop Server');
    await view('Runtimes').waitForDescription('team', /^stopped/);
    expireLogins(folder);
    await view('Credentials').runTitleAction('Refresh Credentials');
    await view('Credentials').waitForDescription('corp', /expired \d+ \w+ ago/);
    await view('Runtimes').runInlineAction('team', 'Start Server');
    await notifications.press('profile "team"', 'Sign In');
    await allowDevice(scene());
    await view('Runtimes').waitForDescription('team', /^running/);
    await view('Credentials').waitForDescription('corp', /signed in/);
    secrets.push(...keptTokens(folder));
    expect(holdsSecret(await outputOf('team'), secrets)).toBe(false);
  });

  test('a session whose stop needs a login is stopped after the user signs in', async () => {
    const { local, vsCode } = scene();
    const { notifications } = parts();
    const id = await leaveOrphan(vsCode.folder, local, 'notes', 'team');
    expireLogins(vsCode.folder);
    await vsCode.load();
    await notifications.press('An orphaned session', 'Stop Sessions');
    expect(await notifications.waitFor('Could not be stopped')).toMatch(
      /^Could not be stopped and may be billed: notes-\w+: The login of profile "team" is missing or/,
    );
    expect(await notifications.buttons('Could not be stopped')).toEqual([
      'Sign In',
      'Try Again',
      'Show Logs',
    ]);
    await notifications.press('Could not be stopped', 'Sign In');
    await allowDevice(scene());
    await local.until(
      () =>
        local
          .sessions('notes')
          .some((one) => one.runtimeSessionId === id && one.why === 'stop-runtime-session'),
      'the end of the session',
    );
  });
});

test('no secret is in a file of VS Code, the extension or a server', () => {
  const { folder } = scene().vsCode;
  const known = readFileSync(join(folder.home, '.aws/credentials'), 'latin1');
  expect(holdsSecret(known, secrets)).toBe(true);
  expect(filesWithSecrets(folder, secrets)).toEqual([]);
});

/** The complete output of a server, once its tools were found. */
async function outputOf(name: string): Promise<string> {
  const { output, view } = parts();
  await view('Runtimes').runInlineAction(name, 'Show Server Output');
  await output.waitFor(`Starting server ${name}`);
  return await output.waitFor('Discovered 8 tools');
}

function parts() {
  const { workbench } = scene().vsCode;
  return { ...workbench, view: (title: string) => workbench.view(title) };
}
