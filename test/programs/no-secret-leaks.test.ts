import { readdir, readFile, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { join, relative } from 'node:path';
import { execPath } from 'node:process';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { runAccounts, runWhoAmI } from '../../src/cli/accounts.ts';
import { runLogin, runLogout } from '../../src/cli/login.ts';
import { runRuntimes } from '../../src/cli/runtimes.ts';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import {
  accessKey,
  CredentialHome,
  callUntil,
  errorsOf,
  keys,
  serve,
} from '../aws/credentials/credential-fixtures.ts';
import { runCli } from '../fixtures/cli-process.ts';
import type { ProxyProcess } from '../fixtures/proxy-process.ts';
import { start, statefulMcp } from '../local/harness.ts';

const ACCOUNT = '123456789012';
const ROLE = `arn:aws:iam::${ACCOUNT}:role/caller`;
const CLOSED = `arn:aws:iam::${ACCOUNT}:role/closed`;
const SERIAL = `arn:aws:iam::${ACCOUNT}:mfa/user`;
const EXTERNAL_ID = 'partner-external-7431';
const CODE = '907351';
const WRONG_CODE = '118264';
const USER = accessKey('user');

/** The only files that may contain these secrets, because the AWS CLI stores them there as well. */
const KEPT_IN = [
  'config',
  'credentials',
  'keys.mjs',
  join('.aws', 'sso', 'cache'),
  join('.aws', 'cli', 'cache'),
];

/** Names of members and elements with secret values, in AWS requests and answers. */
const SECRET =
  /<?"?(accessKeyId|secretAccessKey|sessionToken|accessToken|refreshToken|clientSecret|deviceCode)"?[>:]\s*"?([^"<>,\s]{12,})/gi;

/** Forwards everything to the local AgentCore, and records every transmitted secret. */
async function witness(local: LocalRuntime): Promise<{ url: string; secrets: Set<string> }> {
  const secrets = new Set<string>();
  const note = (text: string) => {
    for (const [, , value] of text.matchAll(SECRET)) if (value) secrets.add(value);
  };
  const url = await serve((incoming, response) => {
    const { method, url: path = '', headers } = incoming;
    for (const name of ['x-amz-security-token', 'x-amz-sso_bearer_token']) {
      const value = headers[name];
      if (typeof value === 'string') secrets.add(value);
    }
    const key = /Credential=([^/]+)/.exec(headers.authorization ?? '')?.[1];
    if (key) secrets.add(key);
    const signature = /Signature=(\w+)/.exec(headers.authorization ?? '')?.[1];
    if (signature) secrets.add(signature);
    const isInvocation = path.includes('/invocations');
    const onward = httpRequest(new URL(path, local.url), { method, headers }, (reply) => {
      response.writeHead(reply.statusCode ?? 502, reply.headers);
      let text = '';
      if (!isInvocation) reply.setEncoding('utf8').on('data', (part: string) => (text += part));
      reply.on('end', () => note(text));
      reply.pipe(response);
    });
    onward.on('error', () => response.destroy());
    incoming.pipe(onward);
  });
  return { url, secrets };
}

/** All readable output and files, by source. */
class Readable {
  readonly #said = new Map<string, string>();
  readonly #home: CredentialHome;

  constructor(home: CredentialHome) {
    this.#home = home;
  }

  add(where: string, text: string): void {
    this.#said.set(where, (this.#said.get(where) ?? '') + text);
  }

  /** Provides streams for a program, and records its errors. */
  async run(where: string, program: (streams: Outputs) => Promise<number> | number) {
    const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
    for (const stream of Object.values(streams)) {
      stream.setEncoding('utf8').on('data', (text: string) => this.add(where, text));
    }
    try {
      return await program(streams);
    } catch (thrown) {
      const error = thrown as Error;
      this.add(where, `${error.message} ${error.stack} ${JSON.stringify(error)}`);
      return undefined;
    }
  }

  async cli(args: readonly string[], env: Record<string, string>): Promise<void> {
    const { stdout, stderr } = await runCli(args, env);
    this.add(args.join(' '), stdout + stderr);
  }

  async proxy(where: string, proxy: ProxyProcess): Promise<void> {
    await proxy.close();
    this.add(where, JSON.stringify(proxy.lines) + proxy.noise.join('') + proxy.stderr);
  }

  async all(): Promise<ReadonlyMap<string, string>> {
    const { path } = this.#home;
    const all = new Map(this.#said);
    for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
      const file = relative(path, join(entry.parentPath, entry.name));
      if (!entry.isFile() || KEPT_IN.some((kept) => file.startsWith(kept))) continue;
      all.set(file, file + (await readFile(join(path, file), 'utf8')));
    }
    return all;
  }
}

interface Outputs {
  readonly stdout: PassThrough;
  readonly stderr: PassThrough;
}

/** The environment with the most output. */
const TALKATIVE = {
  LOG_LEVEL: 'debug',
  MCP_PROXY_DEBUG: '1',
  AGENTCORE_JOURNAL_CONTENT: 'true',
  AGENTCORE_STOP_ON_EXIT: 'false',
};

const isQuestion = ({ method }: { method?: string }) => method === 'elicitation/create';

async function stage() {
  const roles = { Developer: { sessionDuration: 2 } };
  const local = await start(
    { server: statefulMcp() },
    {
      accessKeys: [USER.config],
      roles: [
        {
          arn: ROLE,
          externalId: EXTERNAL_ID,
          mfa: { serial: SERIAL, code: CODE },
          sessionDuration: 3,
        },
        { arn: CLOSED, trustedPrincipals: [`arn:aws:iam::${ACCOUNT}:user/other`] },
      ],
      sso: { users: { ada: { accounts: { [ACCOUNT]: { roles } } } } },
    },
  );
  const { startUrl, region } = local.sso;
  const home = await CredentialHome.make({ credentials: keys('base', USER) });
  const { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey } = USER;
  const key = JSON.stringify({ Version: 1, AccessKeyId, SecretAccessKey });
  const soon = 'new Date(Date.now() + 4000).toISOString()';
  await writeFile(
    home.file('keys.mjs'),
    `console.log(JSON.stringify({ ...${key}, Expiration: ${soon} }));`,
  );
  const process = `"${execPath}" "${home.file('keys.mjs')}"`;
  const config = `[profile corp]
sso_session = corp
sso_account_id = ${ACCOUNT}
sso_role_name = Developer
[sso-session corp]
sso_start_url = ${startUrl}
sso_region = ${region}
sso_registration_scopes = sso:account:access
[profile mfa]
role_arn = ${ROLE}
source_profile = base
external_id = ${EXTERNAL_ID}
mfa_serial = ${SERIAL}
[profile process]
credential_process = ${process}
`;
  await home.write('config', config);
  return { local, home, config, process, readable: new Readable(home), ...(await witness(local)) };
}

describe('after every use of credentials', () => {
  it('no secret is in any output, log, journal or state file', async () => {
    const { local, home, config, process, readable, url, secrets } = await stage();
    const env = { ...home.env, ...TALKATIVE, AWS_ENDPOINT_URL: url };
    const talkative = { ...TALKATIVE, AWS_ENDPOINT_URL: url };
    const { signal } = new AbortController();

    for (const json of [false, true]) {
      const signedIn = await readable.run('login', (streams) => {
        streams.stdout.on('data', (text: string) => {
          const code = /"userCode":"([^"]+)"|type the code:\s+(\S+)/.exec(text);
          if (code) local.sso.approve(code[1] ?? code[2] ?? '');
        });
        const how = { profile: 'corp', device: true, force: true, json };
        return runLogin(how, env, streams, signal);
      });
      expect(signedIn).toBe(0);
      await readable.run('login --status', (streams) =>
        runLogin({ profile: 'corp', status: true, json }, env, streams, signal),
      );
      await readable.run('accounts', (streams) =>
        runAccounts({ profile: 'corp', json }, env, streams, signal),
      );
      for (const profile of ['corp', 'process', 'mfa']) {
        await readable.run('whoami', (streams) => runWhoAmI({ profile, json }, env, streams));
      }
      await readable.run('runtimes', (streams) =>
        runRuntimes({ allProfiles: true, region: [local.region], json }, env, streams, signal),
      );
    }

    // An SSO login that is used, refreshed, revoked and declined.
    const corp = home.proxy(local, { ...talkative, AWS_PROFILE: 'corp' });
    await corp.initialize({ elicitation: {} });
    expect((await corp.call('echo', { text: 'hello' })).result).toBeDefined();
    local.sso.revoke('ada');
    const login = await callUntil(corp, corp.next('the question', isQuestion));
    corp.send({ jsonrpc: '2.0', id: login.happened.id, result: { action: 'decline' } });
    expect(await errorsOf(login.open)).not.toEqual([]);
    await readable.proxy('a proxy with SSO', corp);

    // A role that requires MFA from now on. The user enters a wrong code, then the right one.
    for (const code of [WRONG_CODE, CODE]) {
      const later = '[profile later]\n';
      await home.write('config', `${config}${later}credential_process = ${process}\n`);
      const proxy = home.proxy(local, { ...talkative, AWS_PROFILE: 'later' });
      await proxy.initialize({ elicitation: { form: {} } });
      await home.write('config', config.replace('[profile mfa]\n', later));
      const question = await callUntil(proxy, proxy.next('the question', isQuestion));
      const result = { action: 'accept', content: { code } };
      proxy.send({ jsonrpc: '2.0', id: question.happened.id, result });
      expect((await errorsOf(question.open)).length === 0).toBe(code === CODE);
      await readable.proxy(`a proxy that was told ${code === CODE ? 'a' : 'no'} code`, proxy);
    }
    await home.write('config', config);

    // Rejected roles, a wrong key, and a missing profile.
    const failing = [
      { AGENTCORE_ASSUME_ROLE_ARN: CLOSED, AGENTCORE_ASSUME_ROLE_EXTERNAL_ID: EXTERNAL_ID },
      {
        AWS_PROFILE: '',
        AWS_ACCESS_KEY_ID: USER.accessKeyId,
        AWS_SECRET_ACCESS_KEY: 'hush-wrong-secret-key',
      },
      { AWS_PROFILE: 'mfa' },
      { AWS_PROFILE: 'none' },
    ];
    for (const more of failing) {
      const proxy = home.proxy(local, { ...talkative, AWS_PROFILE: 'process', ...more });
      expect((await proxy.initialize()).error).toBeDefined();
      await readable.proxy(`a proxy with ${Object.keys(more)}`, proxy);
    }

    const commands = ['sessions list --all', 'log', 'log --json', 'sessions stop --all'];
    for (const command of [...commands, 'sessions list --all --json']) {
      const external = { AGENTCORE_ASSUME_ROLE_EXTERNAL_ID: EXTERNAL_ID };
      await readable.cli(command.split(' '), { ...env, ...external });
    }
    await readable.run('logout', (streams) => runLogout({ profile: 'corp' }, env, streams, signal));

    for (const secret of [CODE, WRONG_CODE, EXTERNAL_ID, 'hush-wrong-secret-key']) {
      secrets.add(secret);
    }
    secrets.add(USER.secretAccessKey);
    const all = await readable.all();
    const everything = [...all.values()].join('\n');
    // Proves that secrets were recorded, and that all output was searched.
    expect(secrets.size).toBeGreaterThan(40);
    expect([...all.keys()].filter((name) => name.includes('journal')).length).toBeGreaterThan(5);
    expect(everything).toContain(CLOSED);
    expect(everything).toContain(SERIAL);
    for (const [where, text] of all) {
      const found = [...secrets].filter((secret) => isIn(text, secret));
      expect(found, `secrets in ${where}`).toEqual([]);
    }
  });
});

/** The digits of a code may be part of an id or a time. */
function isIn(text: string, secret: string): boolean {
  if (!/^\d{6}$/.test(secret)) return text.includes(secret);
  return new RegExp(`(?<![\\w.-])${secret}(?![\\w.-])`).test(text);
}
