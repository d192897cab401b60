import { readFile } from 'node:fs/promises';
import { describe, expect, it, vi } from 'vitest';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import { readProxySettings } from '../../src/programs/proxy-settings.ts';
import {
  accessKey,
  CredentialHome,
  callUntil,
  errorsOf,
  keyRecorder,
  keys,
  load,
} from '../aws/credentials/credential-fixtures.ts';
import { MAX_WAIT_MS } from '../fixtures/bounds.ts';
import { runCli } from '../fixtures/cli-process.ts';
import { RUNTIME_ARN } from '../fixtures/proxy-process.ts';
import { start, statelessMcp } from '../local/harness.ts';

const USER = accessKey('user');
/** Milliseconds. Longer than the steps of these tests take on a quiet machine. */
const FIRST = 'arn:aws:iam::123456789012:role/first';
const LAST = 'arn:aws:iam::123456789012:role/last';
const MFA = 'arn:aws:iam::123456789012:mfa/user';

async function setUp(roles: Parameters<typeof start>[1] = {}): Promise<{
  local: LocalRuntime;
  home: CredentialHome;
  recorder: Awaited<ReturnType<typeof keyRecorder>>;
}> {
  const local = await start({ server: statelessMcp() }, { accessKeys: [USER.config], ...roles });
  const home = await CredentialHome.make({ credentials: keys('default', USER) });
  return { local, home, recorder: await keyRecorder(local) };
}

describe('a role in the environment', () => {
  it('is assumed through other roles, with all configured parameters', async () => {
    const { local, home, recorder } = await setUp({
      roles: [{ arn: FIRST }, { arn: LAST, externalId: 'partner-7' }],
    });
    const proxy = home.proxy(local, {
      AWS_ENDPOINT_URL: recorder.url,
      AGENTCORE_ASSUME_ROLE_ARN: `${FIRST}, ${LAST}`,
      AGENTCORE_ASSUME_ROLE_SESSION_NAME: 'tester',
      AGENTCORE_ASSUME_ROLE_EXTERNAL_ID: 'partner-7',
      AGENTCORE_ASSUME_ROLE_DURATION: '900',
    });
    expect((await proxy.initialize()).result?.serverInfo.name).toBe('fixture');
    expect((await proxy.call('echo')).result).toBeDefined();
    const asked = recorder.assumed.map((ask) => [
      ask.get('RoleArn'),
      ask.get('RoleSessionName'),
      ask.get('ExternalId'),
      ask.get('DurationSeconds'),
    ]);
    expect(asked).toEqual([
      [FIRST, 'tester', null, null],
      [LAST, 'tester', 'partner-7', '900'],
    ]);
    await home.expectNoSecret([USER.secretAccessKey, ...recorder.tokens]);
  });

  it('is recorded, and assumed again to stop its session. No file has its external ID', async () => {
    const { local, home } = await setUp({ roles: [{ arn: LAST, externalId: 'partner-7' }] });
    const proxy = home.proxy(local, {
      AGENTCORE_ASSUME_ROLE_ARN: LAST,
      AGENTCORE_ASSUME_ROLE_EXTERNAL_ID: 'partner-7',
      AGENTCORE_STOP_ON_EXIT: 'false',
    });
    await proxy.initialize();
    await proxy.call('echo');
    await proxy.close();
    const remembered = await readFile(home.file('state/role-targets.json'), 'utf8');
    expect(JSON.parse(remembered).targets).toMatchObject([
      { arn: LAST, sessionName: 'mcpAgentCoreProxy', wantsExternalId: true },
    ]);
    const env = { ...home.env, AWS_ENDPOINT_URL: local.url };
    const without = await runCli(['sessions', 'stop', '--all'], env);
    expect(without).toMatchObject({ code: 1, stderr: '' });
    expect(without.stdout).toContain('AGENTCORE_ASSUME_ROLE_EXTERNAL_ID');
    const stop = await runCli(['sessions', 'stop', '--all'], {
      ...env,
      AGENTCORE_ASSUME_ROLE_EXTERNAL_ID: 'partner-7',
    });
    expect(stop).toMatchObject({ code: 0, stderr: '' });
    expect(local.sessions().every(({ state }) => state === 'Stopped')).toBe(true);
    await home.expectNoSecret(['partner-7', USER.secretAccessKey]);
  });

  it('whose credentials expire every few seconds loses no call under load', async () => {
    const { local, home, recorder } = await setUp({ roles: [{ arn: LAST, sessionDuration: 3 }] });
    const proxy = home.proxy(local, {
      AWS_ENDPOINT_URL: recorder.url,
      AGENTCORE_ASSUME_ROLE_ARN: LAST,
    });
    await proxy.initialize();
    const running = load(proxy);
    await vi.waitFor(() => expect(recorder.assumed.length).toBeGreaterThanOrEqual(4), MAX_WAIT_MS);
    expect(await running.stop()).toEqual([]);
    expect(recorder.assumed.length).toBeLessThan(running.calls() / 10);
    await home.expectNoSecret([USER.secretAccessKey, ...recorder.tokens]);
  });

  it('that cannot be assumed causes an error with the role and both sides of the permission', async () => {
    const { local, home } = await setUp({
      roles: [{ arn: LAST, trustedPrincipals: ['arn:aws:iam::123456789012:user/other'] }],
    });
    const { error } = await home.proxy(local, { AGENTCORE_ASSUME_ROLE_ARN: LAST }).initialize();
    expect(error.message).toContain(LAST);
    expect(error.message).toMatch(/trust policy/);
    expect(error.message).toContain('"Principal":{"AWS":"arn:aws:iam::123456789012:user/user"}');
    expect(error.data.statements).toHaveLength(2);
    await home.expectNoSecret([USER.secretAccessKey]);
  });

  it('of another account causes an error with the caller’s missing statement first, then the role’s', async () => {
    const role = 'arn:aws:iam::222222222222:role/reader';
    const { local, home } = await setUp({
      roles: [{ arn: role, trustedPrincipals: ['arn:aws:iam::333333333333:root'] }],
    });
    const { error } = await home.proxy(local, { AGENTCORE_ASSUME_ROLE_ARN: role }).initialize();
    expect(error.data.statements).toMatchObject([
      { of: 'caller', statement: { Action: 'sts:AssumeRole', Resource: role } },
      { of: 'trust', statement: { Principal: { AWS: 'arn:aws:iam::123456789012:user/user' } } },
    ]);
    for (const { statement } of error.data.statements) {
      expect(error.message).toContain(JSON.stringify(statement));
    }
  });

  it('that requires MFA causes an error with the command to run, before a user can be asked', async () => {
    const { local, home } = await setUp({ roles: [{ arn: LAST }] });
    const proxy = home.proxy(local, {
      AGENTCORE_ASSUME_ROLE_ARN: LAST,
      AGENTCORE_ASSUME_ROLE_MFA_SERIAL: MFA,
    });
    const { error } = await proxy.initialize({ elicitation: {} });
    expect(error.message).toContain(`--serial-number ${MFA} --token-code CODE`);
    expect(proxy.lines.some(({ method }) => method === 'elicitation/create')).toBe(false);
  });
});

describe('a profile with a role', () => {
  const profile = (more = '') =>
    `[profile work]\nrole_arn = ${LAST}\nsource_profile = default\n${more}`;

  /** A proxy whose role requires MFA from now on, so that its credentials cannot be refreshed. */
  async function soonWithMfa() {
    const { local, home, recorder } = await setUp({ roles: [{ arn: LAST, sessionDuration: 2 }] });
    await home.write('config', profile());
    const proxy = home.proxy(local, { AWS_PROFILE: 'work', AWS_ENDPOINT_URL: recorder.url });
    await proxy.initialize({ elicitation: {} });
    await home.write('config', profile(`mfa_serial = ${MFA}\n`));
    return { home, recorder, proxy, ...(await callUntil(proxy, proxy.next('it', isQuestion))) };
  }

  const isQuestion = ({ method }: { method?: string }) => method === 'elicitation/create';

  it('prompts for the MFA code once for all waiting calls', async () => {
    const { home, recorder, proxy, happened, open } = await soonWithMfa();
    const { id, params } = happened;
    const calls = [...open, proxy.call('echo')];
    expect(params.message).toContain(MFA);
    expect(Object.keys(params.requestedSchema.properties)).toEqual(['code']);
    proxy.send({ jsonrpc: '2.0', id, result: { action: 'accept', content: { code: ' 012345' } } });
    for (const call of calls) expect((await call).result).toBeDefined();
    expect(recorder.assumed.at(-1)?.get('SerialNumber')).toBe(MFA);
    expect(recorder.assumed.at(-1)?.get('TokenCode')).toBe('012345');
    expect(proxy.lines.filter(isQuestion)).toHaveLength(1);
    await home.expectNoSecret([USER.secretAccessKey, '012345', ...recorder.tokens]);
  });

  it('that requires MFA causes an error with the command to run if the prompt is declined', async () => {
    const { proxy, happened, open } = await soonWithMfa();
    proxy.send({ jsonrpc: '2.0', id: happened.id, result: { action: 'cancel' } });
    const [error] = await errorsOf(open);
    expect(error.message).toContain('it was declined');
    expect(error.message).toContain('aws configure export-credentials --profile work --format env');
  });
});

describe('settings of a role', () => {
  const read = (env: Record<string, string>) =>
    readProxySettings({ AGENTCORE_AGENT_ARN: RUNTIME_ARN, ...env }).assumeRole;

  it('are read', () => {
    expect(
      read({
        AGENTCORE_ASSUME_ROLE_ARN: `${FIRST},${LAST}`,
        AGENTCORE_ASSUME_ROLE_MFA_SERIAL: MFA,
        AGENTCORE_ASSUME_ROLE_SOURCE_IDENTITY: 'me@corp',
      }),
    ).toMatchObject({
      arn: LAST,
      chain: [FIRST],
      sessionName: 'mcpAgentCoreProxy',
      mfaSerial: MFA,
      sourceIdentity: 'me@corp',
    });
    expect(read({})).toBeUndefined();
  });

  it.each([
    [{ AGENTCORE_ASSUME_ROLE_ARN: 'role/x' }, 'AGENTCORE_ASSUME_ROLE_ARN has "role/x"'],
    [{ AGENTCORE_ASSUME_ROLE_ARN: `${LAST},` }, 'AGENTCORE_ASSUME_ROLE_ARN has ""'],
    [{ AGENTCORE_ASSUME_ROLE_EXTERNAL_ID: 'x' }, 'AGENTCORE_ASSUME_ROLE_EXTERNAL_ID is set, but'],
    [
      { AGENTCORE_ASSUME_ROLE_ARN: LAST, AGENTCORE_ASSUME_ROLE_DURATION: '60' },
      'a whole number of seconds from 900 to 43200',
    ],
    [
      { AGENTCORE_ASSUME_ROLE_ARN: `${FIRST},${LAST}`, AGENTCORE_ASSUME_ROLE_DURATION: '7200' },
      'from 900 to 3600, the most for a role that is assumed by means of another',
    ],
    [
      { AGENTCORE_ASSUME_ROLE_ARN: LAST, AGENTCORE_ASSUME_ROLE_SESSION_NAME: 'a b' },
      'AGENTCORE_ASSUME_ROLE_SESSION_NAME is "a b"',
    ],
    [
      { AGENTCORE_ASSUME_ROLE_ARN: LAST, AGENTCORE_ASSUME_ROLE_EXTERNAL_ID: 'a b' },
      'AGENTCORE_ASSUME_ROLE_EXTERNAL_ID is not valid',
    ],
    [
      { AGENTCORE_ASSUME_ROLE_ARN: LAST, AGENTCORE_ASSUME_ROLE_MFA_SERIAL: 'x' },
      'AGENTCORE_ASSUME_ROLE_MFA_SERIAL is "x"',
    ],
    [
      { AGENTCORE_ASSUME_ROLE_ARN: LAST, AGENTCORE_ASSUME_ROLE_SOURCE_IDENTITY: '!' },
      'AGENTCORE_ASSUME_ROLE_SOURCE_IDENTITY is "!"',
    ],
  ])('with invalid values are rejected: %j', (env, words) => {
    expect(() => read(env as Record<string, string>)).toThrow(words);
  });
});
