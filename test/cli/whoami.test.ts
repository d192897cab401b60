import { describe, expect, it } from 'vitest';
import { runCli } from '../fixtures/cli-process.ts';
import { httpAgent, start } from '../local/harness.ts';
import { accountHome, keysOf } from './account-home.ts';

const WORK = { id: 'AKIAWORKXXXXXEXAMPLE', secret: 'secret-of-work-0123456789' };
const OTHER = {
  id: 'AKIAOTHERXXXXEXAMPLE',
  secret: 'secret-of-other-0123456789',
  principal: 'arn:aws:iam::210987654321:user/team/bob',
};
const ROLE = 'arn:aws:iam::123456789012:role/Reader';
const CONFIG = `[profile work]
region = us-east-1
[profile other]
region = eu-west-1
[profile nowhere]
[profile admin]
region = us-east-1
role_arn = ${ROLE}
role_session_name = ada
source_profile = work
`;

async function setUp() {
  const local = await start(
    { agent: httpAgent() },
    { accessKeys: [WORK, OTHER], roles: [{ arn: ROLE, sessionDuration: 1800 }] },
  );
  const credentials = keysOf('work', WORK) + keysOf('other', OTHER) + keysOf('nowhere', WORK);
  const env = accountHome(local.url, CONFIG, credentials);
  const whoami = (...args: string[]) => runCli(['whoami', ...args], env);
  return { local, env, whoami };
}

describe('agentcore-mcp whoami', () => {
  it('prints account, identity, region and expiry, before and after a role is assumed', async () => {
    const { whoami } = await setUp();
    const before = await whoami('--profile', 'work');
    expect(before).toMatchObject({ code: 0, stderr: '' });
    expect(before.lines).toEqual([
      'Account      123456789012',
      'Identity     user developer',
      'ARN          arn:aws:iam::123456789012:user/developer',
      'Region       us-east-1',
      'Credentials  access key, profile work',
      'Expiry       none',
    ]);
    const after = await whoami('--profile', 'work', '--role', ROLE);
    expect(after.lines).toEqual([
      'Account      123456789012',
      'Identity     role Reader (agentcore-mcp)',
      'ARN          arn:aws:sts::123456789012:assumed-role/Reader/agentcore-mcp',
      'Region       us-east-1',
      `Credentials  ${ROLE}, assumed with access key, profile work`,
      expect.stringMatching(/^Expiry {7}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d, in (29|30) m$/),
    ]);
  });

  it('prints the same as JSON for scripts, without secrets', async () => {
    const { whoami } = await setUp();
    const { stdout } = await whoami('--profile', 'admin', '--json');
    expect(JSON.parse(stdout)).toEqual({
      account: '123456789012',
      arn: 'arn:aws:sts::123456789012:assumed-role/Reader/ada',
      partition: 'aws',
      kind: 'role',
      name: 'Reader',
      sessionName: 'ada',
      profile: 'admin',
      region: 'us-east-1',
      expiresAt: expect.stringMatching(/^\d{4}-.*Z$/),
      source: 'assumed role, profile admin',
      warnings: [],
    });
    expect(stdout).not.toContain(WORK.secret);
  });

  it('warns about a runtime in another account and region', async () => {
    const { local, whoami } = await setUp();
    const { arn } = local.runtime('agent');
    expect((await whoami('--profile', 'work', '--runtime', arn)).stderr).toBe('');
    const { code, stdout, stderr } = await whoami(
      '--profile',
      'work',
      '--runtime',
      arn.replace('123456789012', '210987654321').replace('us-east-1', 'eu-west-1'),
    );
    expect(code).toBe(0);
    expect(stdout).toContain('user developer');
    expect(stderr.split('\n')).toEqual([
      expect.stringMatching(
        /^The runtime is in account 210987654321, and the credentials are of 123456789012: assume a role/,
      ),
      expect.stringMatching(/^The runtime is in eu-west-1, and your region is us-east-1: /),
      '',
    ]);
  });

  it('reports a missing region, and how to set one', async () => {
    const { whoami } = await setUp();
    const { code, stdout } = await whoami('--profile', 'nowhere');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Region {7}none: set AWS_REGION, or add "region = …" to the profile$/m);
  });

  it.each([
    [['--runtime', 'nonsense'], 2, /Not the ARN of an AgentCore runtime .*expected arn:aws:/],
    [['--role', 'nonsense'], 2, /Not the ARN of a role, expected arn:aws:iam::ACCOUNT:role\/NAME/],
    [['--region', 'mars'], 2, /Not a region, expected one such as us-east-1: mars/],
    [['--profile', 'nope'], 1, /Profile "nope" is neither in .* set AWS_PROFILE to one that is/],
    [['extra'], 2, /too many arguments/],
  ])('rejects %j with an error message', async (args, code, sentence) => {
    const { whoami } = await setUp();
    const result = await whoami(...args);
    expect(result).toMatchObject({ code, stdout: '' });
    expect(result.stderr).toMatch(sentence);
  });

  it('reports that AWS cannot be reached', async () => {
    const { env } = await setUp();
    const { code, stderr } = await runCli(['whoami', '--profile', 'work'], {
      ...env,
      AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /Could not get the caller identity from STS: AWS is unreachable, check the network and proxy settings \(.*ECONNREFUSED/,
    );
  });
});
