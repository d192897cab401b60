import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import { runCli } from '../fixtures/cli-process.ts';
import { httpAgent, start, statelessMcp } from '../local/harness.ts';
import { accountHome, keysOf } from './account-home.ts';

const WORK = { id: 'AKIAWORKXXXXXEXAMPLE', secret: 'secret-of-work-0123456789' };
const LISTER = {
  id: 'AKIALISTERXXXEXAMPLE',
  secret: 'secret-of-lister-0123456789',
  allowed: ['bedrock-agentcore:List*'],
};
const CONFIG = `[profile work]
region = us-east-1
[profile lister]
region = us-east-1
[profile nowhere]
[profile signed-out]
region = us-east-1
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Developer
[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = us-east-1
`;

async function setUp(region = 'us-east-1') {
  const local = await start(
    {
      server: statelessMcp({ endpoints: ['DEFAULT', 'prod'] }),
      agent: httpAgent(),
      guarded: statelessMcp({ authorizer: 'JWT' }),
    },
    {
      region,
      accessKeys: [WORK, LISTER],
      gateways: { tools: {}, 'jwt-tools': { authorizer: 'CUSTOM_JWT' } },
      roles: [{ arn: 'arn:aws:iam::123456789012:role/Reader' }],
    },
  );
  const credentials = keysOf('work', WORK) + keysOf('lister', LISTER) + keysOf('nowhere', WORK);
  const env = accountHome(local.url, CONFIG, credentials);
  const runtimes = (...args: string[]) => runCli(['runtimes', ...args], env);
  return { local, env, runtimes };
}

/** One URL for several regions, as in `AWS_ENDPOINT_URL`. The signature names the region. */
async function frontOf(locals: readonly LocalRuntime[]): Promise<string> {
  const server = createServer((incoming, outgoing) => {
    const { authorization = '' } = incoming.headers;
    const local = locals.find(({ region }) => authorization.includes(`/${region}/`)) ?? locals[0];
    const options = { method: incoming.method, headers: incoming.headers };
    const onward = request(new URL(incoming.url ?? '/', local?.url), options, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(onward.on('error', () => outgoing.destroy()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('agentcore-mcp runtimes', () => {
  it('lists all runtimes and gateways, with their callability', async () => {
    const { runtimes } = await setUp();
    const { code, stdout, stderr } = await runtimes('--profile', 'work');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe(
      [
        'NAME       KIND           STATUS  ENDPOINTS              REGION     ACCOUNT       PROFILE',
        'server     MCP · IAM      ready   DEFAULT → 1, prod → 1  us-east-1  123456789012  work',
        'agent      HTTP · IAM     ready   DEFAULT → 1            us-east-1  123456789012  work',
        'guarded    MCP · JWT      ready   DEFAULT → 1            us-east-1  123456789012  work',
        'tools      Gateway · IAM  ready   -                      us-east-1  123456789012  work',
        'jwt-tools  Gateway · JWT  ready   -                      us-east-1  123456789012  work',
        '',
        'server, tools: An MCP server: use it through the proxy.',
        'agent: An agent, not an MCP server: call it with a signed InvokeAgentRuntime.',
        'guarded, jwt-tools: An MCP server that requires a bearer token: use it through the proxy, which gets one as an OAuth client or by a command.',
        '',
        'work · us-east-1: account 123456789012 as user developer; 3 runtimes (just now), 2 gateways (just now)',
        '',
      ].join('\n'),
    );
  });

  it('shows ARNs, versions or runtimes alone on request, and uses a role', async () => {
    const { local, runtimes } = await setUp();
    const role = ['--role', 'arn:aws:iam::123456789012:role/Reader'];
    const result = await runtimes(
      '--profile',
      'work',
      '--arn',
      '--versions',
      '--no-gateways',
      ...role,
    );
    expect(result.lines[0]).toMatch(/ENDPOINTS +VERSIONS +REGION +ACCOUNT +PROFILE +ARN$/);
    expect(result.stdout).toContain(local.runtime('server').arn);
    expect(result.stdout).not.toContain('gateway');
    expect(result.stdout).toContain(
      'work · role Reader · us-east-1: account 123456789012 as role Reader',
    );
  });

  it('lists every profile in every region', async () => {
    const [{ local, env }, west] = await Promise.all([setUp(), setUp('us-west-2')]);
    const AWS_ENDPOINT_URL = await frontOf([local, west.local]);
    const where = ['work', 'lister'].flatMap((profile) => ['--profile', profile]);
    where.push('--region', 'us-east-1', '--region', 'us-west-2', '--json');
    const { code, stdout } = await runCli(['runtimes', ...where], { ...env, AWS_ENDPOINT_URL });
    expect(code).toBe(0);
    const { places } = JSON.parse(stdout);
    expect(
      places.map(({ place, runtimes }: (typeof places)[number]) => [
        place.profile,
        place.region,
        runtimes.items.map(({ arn }: { arn: string }) => arn.split(':')[3]),
      ]),
    ).toEqual([
      ['work', 'us-east-1', Array(3).fill('us-east-1')],
      ['work', 'us-west-2', Array(3).fill('us-west-2')],
      ['lister', 'us-east-1', Array(3).fill('us-east-1')],
      ['lister', 'us-west-2', Array(3).fill('us-west-2')],
    ]);
  });

  it('shows partial results if some profiles fail, with the failures and missing actions', async () => {
    const { runtimes } = await setUp();
    const profiles = ['work', 'lister', 'nowhere', 'signed-out', 'nope'];
    const { code, stdout, stderr } = await runtimes(
      ...profiles.flatMap((name) => ['--profile', name]),
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/^server +MCP · IAM .* work, lister$/m);
    expect(stderr).toMatch(/^nowhere: Profile "nowhere" has no region: name a region/m);
    expect(stderr).toMatch(/^nope: There is no profile "nope": name one that is/m);
    expect(stderr).toMatch(/^signed-out: .*run "agentcore-mcp login --profile signed-out"/m);
    expect(stderr).toMatch(
      /^lister · us-east-1: Could not read protocol and authorizer of .*: bedrock-agentcore:GetAgentRuntime is not allowed; add it to a policy of .* \(and 2 more\)$/m,
    );
    const [, statements = ''] = stderr.split('Missing permissions, as statements to copy:\n');
    expect(JSON.parse(`[${statements}]`)).toMatchObject([
      { Action: 'bedrock-agentcore:GetAgentRuntime', Effect: 'Allow' },
      { Action: 'bedrock-agentcore:GetGateway', Effect: 'Allow' },
    ]);
  });

  it('prints everything as JSON for scripts, with the failures', async () => {
    const { local, runtimes } = await setUp();
    const { stdout } = await runtimes('--profile', 'lister', '--json');
    const answer = JSON.parse(stdout);
    expect(answer).toMatchObject({
      places: [
        {
          place: { profile: 'lister', region: 'us-east-1' },
          identity: { account: '123456789012', kind: 'user' },
          runtimes: {
            source: 'aws',
            readAt: expect.stringMatching(/Z$/),
            items: [
              {
                kind: 'runtime',
                arn: local.runtime('server').arn,
                endpoints: [{ name: 'DEFAULT', liveVersion: '1' }, { name: 'prod' }],
                use: { kind: '? · ?', asServer: 'unknown' },
              },
              {},
              {},
            ],
          },
          gateways: { items: [{ use: { kind: 'Gateway · IAM' } }, {}] },
        },
      ],
      missing: [
        { Action: 'bedrock-agentcore:GetAgentRuntime' },
        { Action: 'bedrock-agentcore:GetGateway' },
      ],
    });
    expect(answer.problems).toHaveLength(5);
    for (const problem of answer.problems) expect(problem).toMatchObject({ kind: 'denied' });
    for (const { secret } of [WORK, LISTER]) expect(stdout).not.toContain(secret);
  });

  it('tolerates throttling', async () => {
    const { local, runtimes } = await setUp();
    local.faults.inject({ kind: 'throttle', operation: 'control', times: 3 });
    const { code, stdout, stderr } = await runtimes('--profile', 'work');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('3 runtimes (just now), 2 gateways (just now)');
  });

  it('shows cached results if AWS fails, and exits with an error', async () => {
    const { local, runtimes } = await setUp();
    await runtimes('--profile', 'work');
    local.faults.inject({ kind: 'expired-credentials', operation: 'sts', times: 'always' });
    const { code, stdout, stderr } = await runtimes('--profile', 'work');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^server +MCP · IAM/m);
    expect(stdout).toMatch(/3 runtimes \(.*\), 2 gateways \(.*\), from an earlier list$/m);
    expect(stderr).toMatch(/^work: Could not get the caller identity from STS: /);
  });

  it.each([
    [['--profile', 'nowhere'], 2, /Profile "nowhere" has no region: name a region, set AWS_REGION/],
    [
      ['--profile', 'nope'],
      2,
      /There is no profile "nope": name one that is in the AWS config file/,
    ],
    [[], 2, /There is no region: name a region/],
    [['--region', 'mars'], 2, /Not a region, expected one such as us-east-1: mars/],
    [['--role', 'Reader'], 2, /Not the ARN of a role/],
    [['--profile', 'signed-out'], 1, /run "agentcore-mcp login --profile signed-out"/],
  ])('rejects %j with an error message', async (args, code, sentence) => {
    const { runtimes } = await setUp();
    const result = await runtimes(...args);
    expect(result).toMatchObject({ code, stdout: '' });
    expect(result.stderr).toMatch(sentence);
  });
});
