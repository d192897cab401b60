import { describe, expect, test } from 'vitest';
import { picture } from './picture.ts';
import { allowDevice } from './sign-in.ts';
import { DEVELOPER, developerFiles, sampleServer, useAgentCore } from './use-agentcore.ts';

const scene = useAgentCore(
  {
    accessKeys: [DEVELOPER],
    runtimes: {
      notes: sampleServer(),
      weather: sampleServer(),
      planner: { protocol: 'HTTP', command: sampleServer().command },
    },
    sso: {
      users: {
        ada: { accounts: { '123456789012': { name: 'Development', roles: { Reader: {} } } } },
      },
    },
  },
  () => ({ home: developerFiles('dev', 'other'), name: 'setup' }),
);

const quickInput = () => scene().vsCode.workbench.quickInput;

/** The prompts up to the name, with the default answers. */
const QUESTIONS: readonly { readonly placeholder: string; readonly answer: string }[] = [
  { placeholder: 'Pick a runtime or a gateway, or paste an ARN', answer: 'notes' },
  { placeholder: 'Pick the endpoint to call, or type its name', answer: 'DEFAULT' },
  { placeholder: 'Pick the AWS profile to call it with', answer: 'dev' },
  { placeholder: 'Pick a role to assume, or type its ARN', answer: 'No role' },
  {
    placeholder: 'Access check: it starts a session and stops it again',
    answer: 'Continue',
  },
  { placeholder: 'Pick how sessions of the runtime are used', answer: 'One for each server' },
];

/** The entries in the settings. */
function entries(): Promise<readonly object[] | undefined> {
  return scene().vsCode.driver.run(({ workspace }) =>
    workspace.getConfiguration('agentcore').get<readonly object[]>('runtimes'),
  );
}

/** Selects a profile first, because none of them is called `default`. */
async function chooseWhere(): Promise<void> {
  await quickInput().waitFor('Pick the AWS profile for the search');
  await quickInput().pick('dev');
}

/** Opens the wizard from the Command Palette, and answers this many prompts. */
async function begin(answered: number): Promise<void> {
  const { workbench } = scene().vsCode;
  await workbench.runCommand('AgentCore: Set Up Runtime…');
  await chooseWhere();
  for (const { placeholder, answer } of QUESTIONS.slice(0, answered)) {
    await quickInput().waitFor(placeholder);
    await quickInput().pick(answer);
  }
}

describe('a view without runtimes', () => {
  test('it shows welcome content, which opens the setup', async () => {
    const { workbench } = scene().vsCode;
    await workbench.openContainer('AgentCore');
    const runtimes = workbench.view('Runtimes');
    expect(await runtimes.welcome()).toContain('No runtime is set up.');
    await runtimes.pressWelcome('Set Up Runtime');
    await quickInput().itemsWith('other');
    await workbench.screenshot('setup-profile');
    await chooseWhere();
    await quickInput().waitFor('Pick a runtime or a gateway, or paste an ARN');
    await quickInput().escape();
    await quickInput().waitUntilClosed();
    expect(await workbench.view('Sessions').welcome()).toContain('No session is running');
  });
});

describe('the setup', () => {
  test('an ARN is validated while the user types', async () => {
    const { local, vsCode } = scene();
    await vsCode.workbench.runCommand('AgentCore: Add Runtime by ARN…');
    await quickInput().waitForMessage('The ARN of a runtime');
    await quickInput().type('arn:aws:s3:::bucket');
    await quickInput().waitForMessage('Not the ARN of an AgentCore runtime');
    await quickInput().type(local.runtime('notes').arn);
    await quickInput().accept();
    await quickInput().waitFor(QUESTIONS[1]?.placeholder ?? '');
    await quickInput().escape();
    await quickInput().waitUntilClosed();
  });

  test('a discovered runtime is selected with a separate command', async () => {
    await scene().vsCode.workbench.runCommand('AgentCore: Pick Runtime…');
    await chooseWhere();
    await quickInput().waitFor(QUESTIONS[0]?.placeholder ?? '');
    await quickInput().pick('weather');
    await quickInput().waitFor(QUESTIONS[1]?.placeholder ?? '');
    await quickInput().escape();
    await quickInput().waitUntilClosed();
  });

  test('each step goes back to the previous one, with its answer', async () => {
    await begin(QUESTIONS.length);
    await quickInput().waitForMessage('The name of the server');
    for (const { placeholder } of [...QUESTIONS].reverse()) {
      await quickInput().back();
      await quickInput().waitFor(placeholder);
    }
    await quickInput().escape();
    await quickInput().waitUntilClosed();
  });

  test.each([1, 2, 3, 4, 5, 6])(
    'Escape in step %i cancels, and nothing is written',
    async (question) => {
      await begin(question - 1);
      await quickInput().waitFor(QUESTIONS[question - 1]?.placeholder ?? '');
      await quickInput().escape();
      await quickInput().waitUntilClosed();
      expect(await entries()).toEqual([]);
    },
  );

  test('it ends with a started server and its tools', async () => {
    const { driver, workbench } = scene().vsCode;
    await begin(0);
    await quickInput().itemsWith('planner');
    await picture(scene().vsCode, 'wizard', { width: 960, height: 480 });
    for (const { answer, placeholder } of QUESTIONS.slice(0, 4)) {
      await quickInput().waitFor(placeholder);
      await quickInput().pick(answer);
    }
    await quickInput().waitFor(QUESTIONS[4]?.placeholder ?? '');
    const found = await quickInput().itemsWith('agentcore-stateful-sample');
    expect(found).toEqual(
      expect.arrayContaining([
        { label: expect.stringContaining('user developer'), description: '123456789012' },
        { label: expect.stringContaining('agentcore-stateful-sample'), description: '8 tools' },
      ]),
    );
    await picture(scene().vsCode, 'check', { width: 960, height: 420 });
    await quickInput().pick('Continue');
    await quickInput().pick('One for each server');
    await quickInput().waitForMessage('The name of the server');
    await quickInput().accept();
    expect(await workbench.notifications.waitFor('is ready')).toMatch(
      /^notes is ready with 8 tools: /,
    );
    await workbench.notifications.dismiss('is ready');
    const { arn } = scene().local.runtime('notes');
    expect(await entries()).toEqual([
      expect.objectContaining({ name: 'notes', arn, profile: 'dev' }),
    ]);
    const tools = await driver.run(({ lm }) => lm.tools.map(({ name }) => name));
    expect(tools).toContainEqual(expect.stringMatching(/^mcp_.*remember$/));
    await workbench.view('Runtimes').waitForDescription('notes', /^running · dev · session/);
  });
});

test('a runtime is added by its ARN, with a unique name', async () => {
  const { local, vsCode } = scene();
  await vsCode.workbench.runCommand('AgentCore: Add Runtime by ARN…');
  await quickInput().waitForMessage('The ARN of a runtime');
  const { arn } = local.runtime('notes');
  await quickInput().type(arn);
  await quickInput().accept();
  const [, endpoint, ...others] = QUESTIONS;
  const authorizer = { placeholder: 'How are callers authorized?', answer: 'IAM' };
  for (const { placeholder, answer } of [endpoint ?? authorizer, authorizer, ...others]) {
    await quickInput().waitFor(placeholder);
    await quickInput().pick(answer);
  }
  await quickInput().waitForMessage('The name of the server');
  await quickInput().type('notes');
  await quickInput().waitForMessage('Another runtime is called "notes"');
  await quickInput().type('more notes');
  await quickInput().accept();
  await vsCode.workbench.notifications.dismiss('more notes is ready');
  expect((await entries())?.[1]).toMatchObject({ name: 'more notes', arn });
});

test('a local sample is set up in one step', async () => {
  const { driver, workbench } = scene().vsCode;
  await workbench.runCommand('AgentCore: Try It Without AWS');
  expect(await workbench.notifications.waitFor('is ready')).toContain(
    'Sample (local) is ready with 8 tools',
  );
  await workbench
    .view('Runtimes')
    .waitForDescription('Sample (local)', /^running · on this machine/);
  const answer = await driver.run(async ({ lm, LanguageModelTextPart }) => {
    const tool = lm.tools.filter(({ name }) => name.endsWith('get_weather')).at(-1);
    const { content } = await lm.invokeTool(tool?.name ?? '', {
      input: { city: 'Oslo' },
      toolInvocationToken: undefined,
    });
    return content
      .map((part) => (part instanceof LanguageModelTextPart ? part.value : ''))
      .join('');
  });
  expect(answer).toMatch(/^Oslo: /);
});

test('a user without an SSO session signs in by the start URL, and adds a profile', async () => {
  const { local, vsCode } = scene();
  const { workbench } = vsCode;
  const { notifications } = workbench;
  await workbench.runCommand('AgentCore: Sign In…');
  await quickInput().waitForMessage('The start URL of your AWS access portal');
  await quickInput().type('corp');
  await quickInput().waitForMessage('Expected an https URL');
  // In the form that a browser shows.
  await quickInput().type(`${local.sso.startUrl}/#/?tab=accounts`);
  await quickInput().accept();
  await quickInput().waitForMessage('The region of its IAM Identity Center');
  await quickInput().type(local.sso.region);
  await quickInput().accept();
  await quickInput().waitForMessage('A name for it in the AWS config file');
  await quickInput().type('corp');
  await quickInput().accept();
  await allowDevice(scene());
  await workbench.view('Credentials').waitForDescription('corp', /^SSO session · signed in/);
  await notifications.press('Signed in until', 'Add Profile');
  await quickInput().waitFor('Account');
  await quickInput().pick('Development');
  await quickInput().pick('Reader');
  await quickInput().waitForMessage('The region of its runtimes');
  await quickInput().accept();
  await quickInput().waitForMessage('Name of the profile');
  await quickInput().accept();
  await notifications.waitFor('Profile "Development-Reader" is in');
});
