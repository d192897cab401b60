import { readdir } from 'node:fs/promises';
import { expect, it, vi } from 'vitest';
import { prepareCredentials } from '../../../src/extension/servers/preparation.ts';
import { readEntry } from '../../../src/extension/settings/runtime-entry.ts';
import { createServerEnvironment } from '../../../src/extension/settings/server-environment.ts';
import {
  accessKey,
  CredentialHome,
  keyRecorder,
  keys,
} from '../../aws/credentials/credential-fixtures.ts';
import { start, statelessMcp } from '../../local/harness.ts';

const USER = accessKey('user');
const ROLE = 'arn:aws:iam::123456789012:role/Deployer';
const MFA = 'arn:aws:iam::123456789012:mfa/user';

it('an MFA code that was entered before the start suffices for the proxy, which cannot prompt', async () => {
  const local = await start(
    { server: statelessMcp() },
    {
      accessKeys: [USER.config],
      roles: [{ arn: ROLE, mfa: { serial: MFA, code: '123456' } }],
    },
  );
  const recorder = await keyRecorder(local);
  const home = await CredentialHome.make({ credentials: keys('work', USER) });
  const { arn } = local.runtime('server');
  const assumeRole = { arn: ROLE, mfaSerial: MFA };
  const entry = readEntry({ name: 'weather', arn, profile: 'work', assumeRole });

  const mfaCode = vi.fn(async () => '123456');
  const prepare = prepareCredentials({
    env: () => ({ ...home.env, AWS_ENDPOINT_URL: local.url }),
    prompts: { mfaCode },
  });
  expect(await prepare(entry, new AbortController().signal)).toBeUndefined();
  expect(mfaCode).toHaveBeenCalledOnce();
  expect(await readdir(home.file('.aws/cli/cache'))).toHaveLength(1);

  const told = Object.entries(createServerEnvironment(entry)).filter(([, value]) => value !== null);
  const proxy = home.proxy(local, {
    ...(Object.fromEntries(told) as Record<string, string>),
    AWS_ENDPOINT_URL: recorder.url,
  });
  expect((await proxy.initialize()).result?.serverInfo.name).toBe('fixture');
  expect(recorder.assumed).toEqual([]);
  // A second start does not prompt.
  await prepare(entry, new AbortController().signal);
  expect(mfaCode).toHaveBeenCalledOnce();
  await home.expectNoSecret([USER.secretAccessKey, ...recorder.tokens]);
});
