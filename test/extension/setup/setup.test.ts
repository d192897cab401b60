import { existsSync } from 'node:fs';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Discovery } from '../../../src/aws/discovery/discovery.ts';
import {
  CONFIRMED_PROCESSES,
  digestCommand,
  type WorkspaceCommand,
} from '../../../src/base/exec.ts';
import { toWrittenEntry } from '../../../src/extension/setup/runtime-draft.ts';
import { askForRuntime } from '../../../src/extension/setup/setup.ts';
import type { SetupContext } from '../../../src/extension/setup/setup-context.ts';
import { type LocalRuntime, startLocalRuntime } from '../../../src/local/local-runtime.ts';
import { forgetfulRuntime, running } from '../../fixtures/proxied-runtime.ts';
import { endWithTest } from '../../fixtures/running.ts';
import {
  env as clipboard,
  type InputBox,
  QuickInputButtons,
  type QuickPick,
  window,
} from '../vscode-stub.ts';

type Shown = QuickPick & InputBox;

beforeEach(() => {
  window.shown.length = 0;
});

/** A local AgentCore with a profile for it, set in the environment of the window. */
async function startAccount(denied: readonly string[] = []): Promise<{
  readonly local: LocalRuntime;
  readonly setup: SetupContext;
}> {
  const folder = await mkdtemp(join(tmpdir(), 'agentcore-setup-'));
  endWithTest(folder, () => rm(folder, { recursive: true, force: true }));
  const key = { id: 'AKIASETUPXXXEXAMPLE', secret: 'only-here', denied: [...denied] };
  const local = await startLocalRuntime({
    port: 0,
    accessKeys: [key],
    runtimes: { server: forgetfulRuntime() },
  });
  endWithTest(local, () => local.close());
  const config = join(folder, 'config');
  const profile = `[profile work]\naws_access_key_id = ${key.id}\naws_secret_access_key = ${key.secret}\nregion = us-east-1\n`;
  await writeFile(config, profile);
  const variables = {
    AWS_CONFIG_FILE: config,
    AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'),
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_ENDPOINT_URL: local.url,
    AGENTCORE_STATE_DIR: folder,
  };
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  for (const name of ['AWS_PROFILE', 'AWS_REGION', 'AWS_ACCESS_KEY_ID'])
    vi.stubEnv(name, undefined);
  endWithTest(undefined, () => vi.unstubAllEnvs());
  const env = () => process.env;
  const discovery = new Discovery({ env: process.env, cacheFolder: join(folder, 'discovery') });
  const setup = {
    title: 'Set Up Runtime',
    env,
    store: { entries: [{ name: 'server' }] } as never,
    discovery: async () => discovery,
    prompts: { mfaCode: () => Promise.reject(new Error('nobody is asked')) },
    signIn: () => Promise.reject(new Error('nobody signs in')),
    review: async () => false,
    places: () => ({ profiles: ['work'], regions: [] }),
  };
  return { local, setup };
}

function ask(setup: SetupContext, choice: 'discovered' | 'arn') {
  return askForRuntime(setup, {
    choice,
    secrets: { has: async () => false } as never,
    check: { proxy: resolve('dist/proxy.js'), startVariables: async () => ({}) },
  });
}

/** The open prompt, once it has this placeholder and an item with this label. */
async function question(placeholder: RegExp, label?: RegExp): Promise<Shown> {
  let found: Shown | undefined;
  await expect
    .poll(() => {
      const last = window.shown.at(-1);
      const isIt = last && !last.isDisposed && placeholder.test(last.placeholder ?? '');
      const has = isIt && (!label || last.labels.some((one) => label.test(one)));
      found = has ? last : undefined;
      return found ? 'open' : `${last?.placeholder}: ${last?.labels?.join(' | ')}`;
    })
    .toBe('open');
  return found as Shown;
}

async function choose(placeholder: RegExp, label: RegExp): Promise<Shown> {
  const shown = await question(placeholder, label);
  shown.choose(shown.labels.find((one) => label.test(one)) as string);
  return shown;
}

describe('several profiles', () => {
  const others = '[profile other]\nregion = eu-west-1\n[profile third]\nregion = eu-west-2\n';
  const noPlaces = () => ({ profiles: [], regions: [] });

  it('are shown for selection if none is the default, and then the region comes from the profile', async () => {
    const { setup } = await startAccount();
    await appendFile(process.env.AWS_CONFIG_FILE as string, others);
    const answer = ask({ ...setup, places: noPlaces }, 'discovered');
    const profiles = await question(/AWS profile for the search/, /^third$/);
    expect(profiles.labels).toEqual(expect.arrayContaining(['work', 'other', 'third']));
    profiles.choose('work');
    const targets = await question(/Pick a runtime/, /server/);
    expect(targets.items).toContainEqual(
      expect.objectContaining({ description: 'work · us-east-1' }),
    );
    targets.choose(targets.labels.find((label) => /\bserver$/.test(label)) as string);
    // The selection is kept when the user comes back.
    (await question(/Pick the endpoint/)).press(QuickInputButtons.Back);
    (await question(/Pick a runtime/, /server/)).escape();
    await expect(answer).rejects.toMatchObject({ name: 'Cancelled' });
  });

  it.each([
    ['the settings name one', '', { profiles: ['other'], regions: [] }, 'other · eu-west-1'],
    ['one is called default', '[default]\nregion = eu-west-3\n', undefined, 'default · eu-west-3'],
  ])('are not shown if %s', async (_, more, places, place) => {
    const { setup } = await startAccount();
    await appendFile(process.env.AWS_CONFIG_FILE as string, `${others}${more}`);
    const answer = ask({ ...setup, places: () => places ?? noPlaces() }, 'discovered');
    const targets = await question(/Pick a runtime/, /Other Profile or Region/);
    expect(targets.items).toContainEqual(expect.objectContaining({ description: place }));
    targets.escape();
    await expect(answer).rejects.toMatchObject({ name: 'Cancelled' });
  });
});

it('a command of the workspace is reviewed before the check runs it', async () => {
  const { local, setup } = await startAccount();
  const mark = join(process.env.AGENTCORE_STATE_DIR as string, 'ran');
  const script = `${mark}.mjs`;
  const key = { Version: 1, AccessKeyId: 'AKIASETUPXXXEXAMPLE', SecretAccessKey: 'only-here' };
  await writeFile(
    script,
    `import { writeFileSync } from 'node:fs';
writeFileSync(${JSON.stringify(mark)}, '');
console.log(${JSON.stringify(JSON.stringify(key))});\n`,
  );
  const command = `"${process.execPath}" ${script}`;
  await writeFile(
    process.env.AWS_CONFIG_FILE as string,
    `[profile work]\nregion = us-east-1\ncredential_process = ${command}\n`,
  );
  let confirmed = 'none';
  const reviewed: WorkspaceCommand[] = [];
  const review = async (asked: WorkspaceCommand) => {
    reviewed.push(asked);
    confirmed = digestCommand(asked);
    return true;
  };
  const env = () => ({ ...process.env, [CONFIRMED_PROCESSES]: confirmed });
  const answer = ask({ ...setup, env, review }, 'arn');
  const box = await question(/^arn:/);
  box.type(local.runtime('server').arn);
  box.accept();
  await choose(/Pick the endpoint/, /^DEFAULT$/);
  const next = await question(/callers authorized|AWS profile/);
  if (/callers/.test(next.placeholder ?? '')) next.choose('IAM');
  await choose(/AWS profile/, /^work$/);
  await choose(/role to assume/, /^No role$/);
  const check = await question(/Access check/, /Review Command/);
  expect(existsSync(mark)).toBe(false);
  expect(local.sessions()).toEqual([]);
  check.choose('$(eye) Review Command');
  const again = await question(/Access check/, /^\$\(tools\)/);
  expect(reviewed).toEqual([{ kind: 'credential_process', text: command }]);
  expect(existsSync(mark)).toBe(true);
  again.escape();
  await expect(answer).rejects.toMatchObject({ name: 'Cancelled' });
});

describe('the runtime setup', () => {
  it('leads from discovery to an entry, with a test call on the way', async () => {
    const { local, setup } = await startAccount();
    const answer = ask(setup, 'discovered');

    const targets = await question(/Pick a runtime/, /server/);
    const item = () => targets.items.find(({ label }) => /\bserver$/.test(label));
    await expect.poll(item).toMatchObject({
      description: 'MCP · IAM',
      detail: expect.stringContaining('DEFAULT (version 1)'),
    });
    targets.choose(targets.labels.find((label) => /\bserver$/.test(label)) as string);
    await choose(/Pick the endpoint/, /^DEFAULT$/);
    const profiles = await question(/AWS profile/, /^work$/);
    expect(profiles.activeItems).toMatchObject([{ label: 'work' }]);
    profiles.choose('work');
    await choose(/role to assume/, /^No role$/);

    const check = await question(/Access check/, /Check Again/);
    expect(check.labels).toEqual(
      expect.arrayContaining(['$(check) Continue', '$(account) user developer']),
    );
    expect(check.labels.some((label) => label.startsWith('$(tools)'))).toBe(true);
    check.choose('$(check) Continue');
    await choose(/sessions of the runtime/, /One for each server/);

    const name = await question(/^Name$/);
    expect(name.value).toBe('server 2');
    name.type('server');
    expect(name.validationMessage).toContain('Another runtime');
    name.type('mine');
    name.accept();

    const draft = await answer;
    expect(toWrittenEntry(draft)).toEqual({
      name: 'mine',
      arn: local.runtime('server').arn,
      profile: 'work',
    });
    expect(draft.tools?.length).toBeGreaterThan(0);
    // The session of the check is stopped, so it costs nothing.
    await expect.poll(() => running(local)).toBe(0);
  });

  it('keeps a pasted ARN that is invalid, so that the user can correct it', async () => {
    const { local, setup } = await startAccount();
    const answer = ask(setup, 'discovered');
    const { arn } = local.runtime('server');
    const targets = await question(/Pick a runtime/, /Enter an ARN/);
    targets.type(arn.slice(0, -1).replace('bedrock-agentcore', 's3'));
    targets.choose(targets.labels.find((label) => label.startsWith('$(warning)')) as string);
    const box = await question(/^arn:/);
    expect(box.value).toContain(':s3:');
    expect(box.validationMessage).toContain('"s3"');
    box.type(arn);
    box.accept();
    await question(/Pick the endpoint/, /^DEFAULT$/);
    window.shown.at(-1)?.escape();
    await expect(answer).rejects.toThrow();
  });

  it('ignores an ARN that was typed and deleted', async () => {
    const { local, setup } = await startAccount();
    const answer = ask(setup, 'discovered');
    const targets = await question(/Pick a runtime/, /Enter an ARN/);
    targets.type(local.runtime('server').arn);
    targets.type('');
    targets.choose('$(link) Enter an ARN…');
    const box = await question(/^arn:/);
    expect(box.value).toBe('');
    box.escape();
    await expect(answer).rejects.toThrow();
  });

  it('shows a denied call with the missing IAM statement to copy', async () => {
    const { local, setup } = await startAccount(['bedrock-agentcore:InvokeAgentRuntime']);
    const answer = ask(setup, 'arn');
    const { arn } = local.runtime('server');
    const box = await question(/^arn:/);
    box.type('arn:aws:lambda:us-east-1:123456789012:function:f');
    expect(box.validationMessage).toContain('lambda');
    box.type(arn);
    box.accept();
    await choose(/Pick the endpoint/, /^DEFAULT$/);
    // The authorizer of a pasted ARN is known as soon as AWS answers.
    const next = await question(/callers authorized|AWS profile/);
    if (/callers/.test(next.placeholder ?? '')) next.choose('IAM');
    await choose(/AWS profile/, /^work$/);
    await choose(/role to assume/, /^No role$/);

    await choose(/Access check/, /Copy the Missing Statement/);
    await expect
      .poll(() => clipboard.clipboard.text)
      .toContain('bedrock-agentcore:InvokeAgentRuntime');
    expect(JSON.parse(clipboard.clipboard.text)).toMatchObject({ Effect: 'Allow' });

    // The same results are shown again after Back, and Back leads to the role.
    const again = await question(/Access check/, /Continue Anyway/);
    again.press(QuickInputButtons.Back);
    const role = await question(/role to assume/, /^No role$/);
    role.escape();
    await expect(answer).rejects.toMatchObject({ name: 'Cancelled' });
  });
});
