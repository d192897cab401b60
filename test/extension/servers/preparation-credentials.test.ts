import { expect, it, vi } from 'vitest';
import type { CredentialPrompts } from '../../../src/aws/credentials/options.ts';
import {
  prepareCredentials,
  UserCancelledError,
} from '../../../src/extension/servers/preparation.ts';
import { readEntry } from '../../../src/extension/settings/runtime-entry.ts';
import { accessKey, CredentialHome, keys } from '../../aws/credentials/credential-fixtures.ts';

const ARN = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/weather-Ab12Cd34Ef';
const MFA = 'arn:aws:iam::123456789012:mfa/me';
const USER = accessKey('user');

async function prepared(entry: object, prompts: Partial<CredentialPrompts> = {}) {
  const home = await CredentialHome.make({
    config: `[profile sso]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Reader\n[sso-session corp]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n`,
    credentials: keys('work', USER),
  });
  const mfaCode = prompts.mfaCode ?? (() => Promise.reject(new Error('nobody is to be asked')));
  const step = prepareCredentials({ env: () => home.env, prompts: { ...prompts, mfaCode } });
  const { signal } = new AbortController();
  return step(readEntry({ name: 'weather', arn: ARN, ...entry }), signal);
}

it('does not prompt if credentials exist, and adds none of them to the environment', async () => {
  expect(await prepared({ profile: 'work' })).toBeUndefined();
});

it('names the missing profile and a similar one', async () => {
  await expect(prepared({ profile: 'wrok' })).rejects.toMatchObject({
    code: 'credentials',
    message: expect.stringMatching(/^Runtime "weather" uses profile "wrok".*such as "work"$/),
    data: { missingProfile: 'wrok' },
  });
});

it.each([
  ['declines it', async () => false],
  ['cancels it', () => Promise.reject(new UserCancelledError())],
])('offers to sign in, and shows no error if the user %s', async (_, answer) => {
  const login = vi.fn<() => Promise<boolean>>(answer);
  await expect(prepared({ profile: 'sso' }, { login })).rejects.toThrow(UserCancelledError);
  expect(login).toHaveBeenCalledExactlyOnceWith(
    'sso',
    expect.stringContaining('sso'),
    expect.any(AbortSignal),
  );
});

it('prompts for the MFA code of a role, and shows no error if the user enters none', async () => {
  const mfaCode = vi.fn(() => Promise.reject(new UserCancelledError()));
  const assumeRole = { arn: 'arn:aws:iam::123456789012:role/Deployer', mfaSerial: MFA };
  const entry = { profile: 'work', assumeRole };
  await expect(prepared(entry, { mfaCode })).rejects.toThrow(UserCancelledError);
  expect(mfaCode).toHaveBeenCalledExactlyOnceWith(MFA, expect.any(AbortSignal));
});

it('does nothing for a server without AWS credentials', async () => {
  const authorization = { type: 'tokenCommand', command: 'print-token' };
  expect(await prepared({ profile: 'gone', authorization })).toBeUndefined();
});
