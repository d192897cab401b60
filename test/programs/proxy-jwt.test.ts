import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { RuntimeInput } from '../../src/local/config.ts';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import { CredentialHome, serve } from '../aws/credentials/credential-fixtures.ts';
import { runCli } from '../fixtures/cli-process.ts';
import { running, textOf } from '../fixtures/proxied-runtime.ts';
import { startForwardProxy, startTlsFront } from '../fixtures/tls.ts';
import { start, statefulMcp, statelessMcp } from '../local/harness.ts';

const SECRET = 'hush-of-the-client-0123456789';
const OAUTH = {
  AGENTCORE_OAUTH_CLIENT_ID: 'app',
  AGENTCORE_OAUTH_CLIENT_SECRET: SECRET,
};

/** A runtime that takes tokens, and a home without any AWS credentials. */
async function setUp(
  server: RuntimeInput = statelessMcp({ authorizer: 'JWT' }),
  client: { scopes?: string[]; tokenDuration?: number } = {},
): Promise<{ local: LocalRuntime; home: CredentialHome }> {
  const local = await start(
    { server },
    { oauth: { clients: { app: { secret: SECRET, ...client } } } },
  );
  return { local, home: await CredentialHome.make() };
}

/** What every JWT begins with: none may be in anything that is said or written. */
const ANY_TOKEN = 'eyJ';

/** Hands everything on to the local AgentCore, and notes the bearer tokens that it comes with. */
async function tokenRecorder(
  local: LocalRuntime,
): Promise<{ readonly url: string; readonly tokens: string[] }> {
  const tokens: string[] = [];
  const url = await serve((incoming, response) => {
    const { method, url: path = '', headers } = incoming;
    const token = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
    if (token !== undefined) tokens.push(token);
    const onward = request(new URL(path, local.url), { method, headers }, (reply) => {
      response.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(response);
    });
    onward.on('error', () => response.destroy());
    incoming.pipe(onward);
  });
  return { url, tokens };
}

/** Sessions that may cost something, of a listing. */
function mayBill(listing: string): unknown[] {
  return JSON.parse(listing).filter((entry: { mayBill: boolean }) => entry.mayBill);
}

function count(local: LocalRuntime, method: string): number {
  return local.requests.filter(
    ({ operation, rpcMethod }) => operation === 'oauth' && rpcMethod === method,
  ).length;
}

/** A command that prints what a file holds. */
async function tokenFile(home: CredentialHome, token: string) {
  const path = home.file('token');
  await writeFile(path, token);
  const script = `console.error('hush-stderr-0123456789abcdef');process.stdout.write(require('fs').readFileSync('${path}'))`;
  return {
    env: { AGENTCORE_TOKEN_COMMAND: `"${process.execPath}" -e "${script}"` },
    write: (next: string) => writeFile(path, next),
  };
}

describe('a runtime that takes bearer tokens', () => {
  it('is called with one that the proxy gets where the runtime says, and its session is stopped', async () => {
    const { local, home } = await setUp(statefulMcp({ authorizer: 'JWT' }));
    const proxy = home.proxy(local, OAUTH);
    expect((await proxy.initialize()).result?.serverInfo.name).toBe('fixture');
    await Promise.all([proxy.call('echo'), proxy.call('echo'), proxy.call('echo')]);
    expect(count(local, 'token')).toBe(1);
    expect(running(local)).toBe(1);
    await proxy.close();
    expect(running(local)).toBe(0);
    await home.expectNoSecret([SECRET, ANY_TOKEN]);
  });

  it('goes on with a new token once the old one is refused, and no call is lost', async () => {
    const { local, home } = await setUp(
      statelessMcp({ authorizer: 'JWT', switches: { revokedTokens: 'refuse' } }),
    );
    const { url, tokens } = await tokenRecorder(local);
    const proxy = home.proxy(local, {
      ...OAUTH,
      AWS_ENDPOINT_URL: url,
      AGENTCORE_OAUTH_TOKEN_URL: local.oauth.tokenUrl,
    });
    await proxy.initialize();
    await proxy.call('echo');
    local.oauth.revoke(tokens.at(-1) ?? '');
    const answers = await Promise.all([1, 2, 3, 4].map(() => proxy.call('echo')));
    for (const { error } of answers) expect(error).toBeUndefined();
    expect(count(local, 'token')).toBe(2);
    await home.expectNoSecret([SECRET, ANY_TOKEN]);
  });

  it('is called with tokens that live for seconds without a call being refused', async () => {
    const { local, home } = await setUp(undefined, { tokenDuration: 6 });
    const proxy = home.proxy(local, OAUTH);
    await proxy.initialize();
    while (count(local, 'token') < 3) {
      expect((await proxy.call('echo')).error).toBeUndefined();
      // The account of the local AgentCore has an end, so the calls are given a pace.
      await delay(20);
    }
    const refused = local.requests.filter(({ refusal }) => refusal !== undefined);
    // The one that asks who issues the tokens.
    expect(refused).toHaveLength(1);
  });

  it('is called with what a command prints, and with what it prints next once that is refused', async () => {
    const { local, home } = await setUp(
      statelessMcp({ authorizer: 'JWT', switches: { revokedTokens: 'refuse' } }),
    );
    const issue = async () => (await local.oauth.issue({ clientId: 'app' })).accessToken;
    const [first, next] = [await issue(), await issue()];
    const file = await tokenFile(home, first);
    const { url, tokens } = await tokenRecorder(local);
    const proxy = home.proxy(local, { ...file.env, AWS_ENDPOINT_URL: url });
    await proxy.initialize();
    local.oauth.revoke(first);
    await file.write(JSON.stringify({ token: next, expires_in: 600 }));
    expect((await proxy.call('echo')).error).toBeUndefined();
    expect(new Set(tokens)).toEqual(new Set([first, next]));
    await home.expectNoSecret([ANY_TOKEN, 'hush-stderr']);
  });

  it('says what to change where it refuses the token for good, after one other attempt', async () => {
    const { local, home } = await setUp(
      statelessMcp({ authorizer: { allowedClients: ['another'] } }),
    );
    const proxy = home.proxy(local, OAUTH);
    const { error } = await proxy.request('tools/list');
    expect(error).toMatchObject({ code: -32001, data: { status: 401 } });
    expect(error.message).toMatch(/did not accept the bearer token \(HTTP 401.*JWT authorizer/);
    expect(count(local, 'token')).toBe(2);
    const invokes = local.requests.filter(({ operation }) => operation === 'invoke');
    // One asks who issues tokens; the call itself is sent, and sent again.
    expect(invokes).toHaveLength(3);
    await home.expectNoSecret([SECRET, ANY_TOKEN]);
    // Nothing has begun.
    expect(mayBill((await runCli(['sessions', '--all', '--json'], home.env)).stdout)).toEqual([]);
  });

  it('is called with a token that comes by TLS through the proxy of the network', async () => {
    const { local, home } = await setUp();
    const issuer = await startTlsFront(local.url);
    const network = await startForwardProxy();
    const proxy = home.proxy(local, {
      ...OAUTH,
      AGENTCORE_OAUTH_TOKEN_URL: `${issuer.url}${new URL(local.oauth.tokenUrl).pathname}`,
      AWS_CA_BUNDLE: issuer.authority,
      HTTPS_PROXY: network.url,
    });
    expect((await proxy.initialize()).error).toBeUndefined();
    expect(network.asked).toEqual([`CONNECT localhost:${issuer.port}`]);
    await home.expectNoSecret([SECRET, ANY_TOKEN]);
  });

  it('cannot be called without a token, and the sentence has what is missing and no secret', async () => {
    const { local, home } = await setUp();
    const wrong = home.proxy(local, { ...OAUTH, AGENTCORE_OAUTH_CLIENT_SECRET: 'hush-wrong-0123' });
    const { error } = await wrong.initialize();
    expect(error.message).toMatch(/invalid_client.*AGENTCORE_OAUTH_CLIENT_SECRET/);
    const failing = home.proxy(local, {
      AGENTCORE_TOKEN_COMMAND: `"${process.execPath}" -e "console.log('hush out');process.exit(4)"`,
    });
    expect((await failing.initialize()).error.message).toMatch(
      /AGENTCORE_TOKEN_COMMAND failed \(exit code 4\)/,
    );
    await home.expectNoSecret([SECRET, 'hush-wrong-0123', 'hush out']);
    const listed = await runCli(['sessions', '--json'], home.env);
    expect(JSON.parse(listed.stdout)).toEqual([]);
  });

  it('shares a session among the tokens of one holder', async () => {
    const { local, home } = await setUp();
    const mode = { ...OAUTH, RUNTIME_SESSION_MODE: 'identity' };
    const [one, other] = [home.proxy(local, mode), home.proxy(local, mode)];
    await one.initialize();
    await other.initialize();
    expect(await textOf(one.call('pid'))).toBe(await textOf(other.call('pid')));
    expect(running(local)).toBe(1);
  });
});

describe('a proxy that is set to authorize in the other way', () => {
  it.each(['json-rpc', 'status'] as const)(
    'says which variables to set for a runtime that takes tokens, which refuses by %s',
    async (mcpErrors) => {
      const { local, home } = await setUp(
        statelessMcp({ authorizer: 'JWT', switches: { mcpErrors } }),
      );
      const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = local.env;
      const proxy = home.proxy(local, { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY });
      const { error } = await proxy.initialize();
      expect(error.message).toMatch(
        /takes JWT bearer tokens, not IAM signatures .*set AGENTCORE_OAUTH_CLIENT_ID and AGENTCORE_OAUTH_CLIENT_SECRET, or AGENTCORE_TOKEN_COMMAND/,
      );
    },
  );

  it.each(['json-rpc', 'status'] as const)(
    'says which variable to set for a runtime that takes signatures, which refuses by %s',
    async (mcpErrors) => {
      const { local, home } = await setUp(statelessMcp({ switches: { mcpErrors } }));
      const { accessToken } = await local.oauth.issue({ clientId: 'app' });
      const proxy = home.proxy(local, (await tokenFile(home, accessToken)).env);
      const { error } = await proxy.initialize();
      expect(error.message).toMatch(
        /takes IAM signatures, not bearer tokens .*set AGENTCORE_AUTH to iam/,
      );
      await home.expectNoSecret([accessToken]);
    },
  );

  it('does not lose sight of rights that are missing', async () => {
    const local = await start(
      { server: statelessMcp() },
      {
        accessKeys: [
          {
            id: 'AKIAREADERXXXEXAMPLE',
            secret: 'x',
            denied: ['bedrock-agentcore:InvokeAgentRuntime'],
          },
        ],
      },
    );
    const home = await CredentialHome.make();
    const proxy = home.proxy(local, {
      AWS_ACCESS_KEY_ID: 'AKIAREADERXXXEXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'x',
    });
    const { error } = await proxy.initialize();
    expect(error.message).toMatch(/Access was denied.*bedrock-agentcore:InvokeAgentRuntime/);
  });
});

describe('a session of a runtime that takes tokens', () => {
  async function left(stopJwtBy: 'bearer' | 'sigv4') {
    const { local, home } = await setUp(
      statelessMcp({ authorizer: 'JWT', switches: { stopJwtBy } }),
    );
    const proxy = home.proxy(local, { ...OAUTH, AGENTCORE_STOP_ON_EXIT: 'false' });
    await proxy.initialize();
    await proxy.close();
    expect(running(local)).toBe(1);
    const env = { ...home.env, AWS_ENDPOINT_URL: local.url };
    return {
      local,
      home,
      stop: (more: object) => runCli(['sessions', 'stop', '--all'], { ...env, ...more }),
    };
  }

  it('is stopped from the command line with the token’s environment', async () => {
    const { local, home, stop } = await left('bearer');
    const { code, stdout, stderr } = await stop(OAUTH);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/: stopped$/m);
    expect(running(local)).toBe(0);
    await home.expectNoSecret([SECRET, ANY_TOKEN]);
  });

  it('stays listed without it, and the command line says what is missing', async () => {
    const { local, home, stop } = await left('bearer');
    const { code, stdout } = await stop({});
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /takes bearer tokens, so set AGENTCORE_OAUTH_CLIENT_ID and AGENTCORE_OAUTH_CLIENT_SECRET/,
    );
    expect(running(local)).toBe(1);
    const [entry] = JSON.parse((await runCli(['sessions', '--json'], home.env)).stdout);
    expect(entry).toMatchObject({ mayBill: true, authorization: 'oauth' });
    expect(entry.stopFailure.reason).toContain('AGENTCORE_OAUTH_CLIENT_ID');
  });

  it('is stopped by IAM credentials where AgentCore wants those, with the token’s environment or without', async () => {
    for (const env of [OAUTH, {}]) {
      const { local, stop } = await left('sigv4');
      const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = local.env;
      const { code } = await stop({ AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, ...env });
      expect(code).toBe(0);
      expect(running(local)).toBe(0);
    }
  });

  it('is on record where neither stops it', async () => {
    const { local, home } = await setUp(
      statelessMcp({ authorizer: 'JWT', switches: { stopJwtBy: 'sigv4' } }),
    );
    const proxy = home.proxy(local, OAUTH);
    await proxy.initialize();
    await proxy.close();
    expect(running(local)).toBe(1);
    const [entry] = JSON.parse((await runCli(['sessions', '--json'], home.env)).stdout);
    expect(entry.mayBill).toBe(true);
    expect(entry.stopFailure.reason).toMatch(
      /neither with a bearer token \(HTTP 403\) nor with IAM credentials/,
    );
    await home.expectNoSecret([SECRET, ANY_TOKEN]);
  });

  it('keeps no way to a token in the journal', async () => {
    const { local, home } = await setUp();
    const { accessToken } = await local.oauth.issue({ clientId: 'app' });
    const { env } = await tokenFile(home, accessToken);
    const proxy = home.proxy(local, env);
    await proxy.initialize();
    await home.expectNoSecret([accessToken, env.AGENTCORE_TOKEN_COMMAND.slice(-40)]);
    const { stdout } = await runCli(['log', '--json'], home.env);
    expect(stdout).toContain('"authorization":"token-command"');
  });
});

describe('a token’s settings', () => {
  it.each<[string, Record<string, string>, RegExp]>([
    ['none for a runtime', { AGENTCORE_AUTH: 'none' }, /a runtime lets nobody in/],
    ['an unknown method', { AGENTCORE_AUTH: 'basic' }, /expected one of iam, oauth/],
  ])('that cannot be, %s, end the proxy with code 2', async (_, env, sentence) => {
    const { local, home } = await setUp();
    const proxy = home.proxy(local, env);
    expect((await proxy.exited).code).toBe(2);
    expect(proxy.stderr).toMatch(sentence);
  });
});
