import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { RuntimeInput } from '../../src/local/config/schema.ts';
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

/** A runtime with JWT authorization, and a home directory without AWS credentials. */
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

/** The first characters of every JWT. No output or file may contain them. */
const ANY_TOKEN = 'eyJ';

/** Forwards everything to the local AgentCore, and records the bearer tokens. */
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

/** The sessions in a listing that may be billed. */
function mayBill(listing: string): unknown[] {
  return JSON.parse(listing).filter((entry: { mayBill: boolean }) => entry.mayBill);
}

function count(local: LocalRuntime, method: string): number {
  return local.requests.filter(
    ({ operation, rpcMethod }) => operation === 'oauth' && rpcMethod === method,
  ).length;
}

/** A command that prints the content of a file. */
async function tokenFile(home: CredentialHome, token: string) {
  const path = home.file('token');
  await writeFile(path, token);
  const script = `console.error('hush-stderr-0123456789abcdef');process.stdout.write(require('fs').readFileSync('${path}'))`;
  return {
    env: { AGENTCORE_TOKEN_COMMAND: `"${process.execPath}" -e "${script}"` },
    write: (next: string) => writeFile(path, next),
  };
}

describe('a runtime with JWT authorization', () => {
  it('is called with a token from the issuer that the runtime names, and its session is stopped', async () => {
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

  it('continues with a new token once the old one is rejected, without losing a call', async () => {
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

  it('is called with tokens that live for seconds without a rejected call', async () => {
    const { local, home } = await setUp(undefined, { tokenDuration: 6 });
    const proxy = home.proxy(local, OAUTH);
    await proxy.initialize();
    while (count(local, 'token') < 3) {
      expect((await proxy.call('echo')).error).toBeUndefined();
      // The request log of the local AgentCore is bounded, so the calls are slowed down.
      await delay(20);
    }
    const refused = local.requests.filter(({ refusal }) => refusal !== undefined);
    // The probe for the issuer of the tokens.
    expect(refused).toHaveLength(1);
  });

  it('is called with the output of a command, and with the next output once that is rejected', async () => {
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

  it('causes an error with the next step if it rejects the token for good, after one retry', async () => {
    const { local, home } = await setUp(
      statelessMcp({ authorizer: { allowedClients: ['another'] } }),
    );
    const proxy = home.proxy(local, OAUTH);
    const { error } = await proxy.request('tools/list');
    expect(error).toMatchObject({ code: -32001, data: { status: 401 } });
    expect(error.message).toMatch(/did not accept the bearer token \(HTTP 401.*JWT authorizer/);
    expect(count(local, 'token')).toBe(2);
    const invokes = local.requests.filter(({ operation }) => operation === 'invoke');
    // One request probes the issuer. The call itself is sent twice.
    expect(invokes).toHaveLength(3);
    await home.expectNoSecret([SECRET, ANY_TOKEN]);
    // No session has started.
    expect(mayBill((await runCli(['sessions', '--all', '--json'], home.env)).stdout)).toEqual([]);
  });

  it('is called with a token that is loaded by TLS through the network proxy', async () => {
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

  it('cannot be called without a token, and the error names the missing setting and no secret', async () => {
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

  it('shares a session among the tokens of one subject', async () => {
    const { local, home } = await setUp();
    const mode = { ...OAUTH, RUNTIME_SESSION_MODE: 'identity' };
    const [one, other] = [home.proxy(local, mode), home.proxy(local, mode)];
    await one.initialize();
    await other.initialize();
    expect(await textOf(one.call('pid'))).toBe(await textOf(other.call('pid')));
    expect(running(local)).toBe(1);
  });
});

describe('a proxy with the wrong authorization method', () => {
  it.each(['json-rpc', 'status'] as const)(
    'names the variables to set for a runtime with JWT authorization that rejects with %s',
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
    'names the variable to set for a runtime with IAM authorization that rejects with %s',
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

  it('still reports missing permissions', async () => {
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

describe('a session of a runtime with JWT authorization', () => {
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

  it('stays in the list without it, and the command line names the missing setting', async () => {
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

  it('is stopped with IAM credentials if AgentCore requires those, with or without the token’s environment', async () => {
    for (const env of [OAUTH, {}]) {
      const { local, stop } = await left('sigv4');
      const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = local.env;
      const { code } = await stop({ AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, ...env });
      expect(code).toBe(0);
      expect(running(local)).toBe(0);
    }
  });

  it('stays in the journal if neither method stops it', async () => {
    const { local, home } = await setUp(
      statelessMcp({ authorizer: 'JWT', switches: { stopJwtBy: 'sigv4' } }),
    );
    const proxy = home.proxy(local, OAUTH);
    await proxy.initialize();
    await proxy.close();
    expect(running(local)).toBe(1);
    const [entry] = JSON.parse((await runCli(['sessions', '--json'], home.env)).stdout);
    expect(entry.mayBill).toBe(true);
    expect(entry.stopFailure.reason).toMatch(/a bearer token \(HTTP 403\) or with IAM credentials/);
    await home.expectNoSecret([SECRET, ANY_TOKEN]);
  });

  it('has no token setting in the journal', async () => {
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

describe('token settings', () => {
  it.each<[string, Record<string, string>, RegExp]>([
    [
      'no authorization for a runtime',
      { AGENTCORE_AUTH: 'none' },
      /a runtime requires authorization/,
    ],
    ['an unknown method', { AGENTCORE_AUTH: 'basic' }, /expected one of iam, oauth/],
  ])('with an invalid value, %s, end the proxy with exit code 2', async (_, env, sentence) => {
    const { local, home } = await setUp();
    const proxy = home.proxy(local, env);
    expect((await proxy.exited).code).toBe(2);
    expect(proxy.stderr).toMatch(sentence);
  });
});
