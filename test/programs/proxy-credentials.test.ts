import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import {
  accessKey,
  CredentialHome,
  callUntil,
  errorsOf,
  keyRecorder,
  keys,
  load,
  serve,
} from '../aws/credentials/credential-fixtures.ts';
import { MAX_WAIT_MS } from '../fixtures/bounds.ts';
import { start, statelessMcp } from '../local/harness.ts';

const ONE = accessKey('one');
const TWO = accessKey('two');
/** Milliseconds. Longer than the steps of these tests take on a quiet machine. */
const ROLE = 'arn:aws:iam::123456789012:role/caller';

function startLocal(more: Parameters<typeof start>[1] = {}): Promise<LocalRuntime> {
  return start(
    { server: statelessMcp() },
    { accessKeys: [ONE.config, TWO.config], roles: [{ arn: ROLE }], ...more },
  );
}

const isQuestion = ({ method }: { method?: string }) => method === 'elicitation/create';

/** A program that prints a key, and the setting that names it. */
async function processProfile(home: CredentialHome, before = ''): Promise<string> {
  const { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey } = ONE;
  const answer = JSON.stringify({ Version: 1, AccessKeyId, SecretAccessKey });
  await writeFile(home.file('keys.mjs'), `${before}\nconsole.log(${JSON.stringify(answer)});`);
  return `[profile work]\ncredential_process = "${process.execPath}" "${home.file('keys.mjs')}"\n`;
}

describe('credentials', () => {
  it('come from the profile in AWS_PROFILE', async () => {
    const local = await startLocal();
    const home = await CredentialHome.make({ credentials: keys('work', ONE) });
    const proxy = home.proxy(local, { AWS_PROFILE: 'work' });
    expect((await proxy.initialize()).result.serverInfo.name).toBe('fixture');
    expect(proxy.stderr).toBe('');
    await home.expectNoSecret([ONE.secretAccessKey]);
  });

  it('of a missing profile cause an error that names existing profiles, the most similar first', async () => {
    const local = await startLocal();
    const home = await CredentialHome.make({
      credentials: keys('work-dev', ONE) + keys('wrok', ONE) + keys('other', ONE),
    });
    const { error } = await home.proxy(local, { AWS_PROFILE: 'work' }).initialize();
    expect(error.message).toMatch(
      /Profile "work" is neither in .*: set AWS_PROFILE to one that is: "wrok"/,
    );
    expect(error.data.reason).toBe('credentials');
    await home.expectNoSecret([ONE.secretAccessKey]);
  });

  it('come from a process in the profile, which finds its input closed', async () => {
    const local = await startLocal();
    const home = await CredentialHome.make();
    const before = 'for await (const _ of process.stdin);';
    await home.write('config', await processProfile(home, before));
    const proxy = home.proxy(local, { AWS_PROFILE: 'work' });
    expect((await proxy.initialize()).result.serverInfo.name).toBe('fixture');
    await home.expectNoSecret([ONE.secretAccessKey]);
  });

  it('of a failed process cause an error with its output', async () => {
    const local = await startLocal();
    const home = await CredentialHome.make();
    const before = 'console.error("vault is sealed"); process.exit(4);';
    await home.write('config', await processProfile(home, before));
    const { error } = await home.proxy(local, { AWS_PROFILE: 'work' }).initialize();
    expect(error.message).toBe(
      'The credential_process of profile "work" failed (exit code 4): vault is sealed',
    );
  });

  it('that are missing cause an error with the next step, and are looked up again', async () => {
    const local = await startLocal();
    const home = await CredentialHome.make();
    const proxy = home.proxy(local);
    const { error } = await proxy.initialize();
    expect(error.data.reason).toBe('credentials');
    expect(error.message).toMatch(/No AWS credentials.*AWS_PROFILE/);
    expect(local.requests).toEqual([]);
    await home.write('credentials', keys('default', ONE));
    expect((await proxy.initialize()).result.serverInfo.name).toBe('fixture');
  });

  it('that are incomplete in the environment cause an error', async () => {
    const local = await startLocal();
    const home = await CredentialHome.make();
    const { error } = await home.proxy(local, { AWS_ACCESS_KEY_ID: ONE.accessKeyId }).initialize();
    expect(error.message).toContain('AWS_ACCESS_KEY_ID is set, so set the other half');
  });

  it('of two proxies are those of their profiles', async () => {
    const local = await startLocal();
    const home = await CredentialHome.make({ credentials: keys('one', ONE) + keys('two', TWO) });
    const recorders = [await keyRecorder(local), await keyRecorder(local)];
    const proxies = ['one', 'two'].map((AWS_PROFILE, at) =>
      home.proxy(local, { AWS_PROFILE, AWS_ENDPOINT_URL: recorders[at]?.url ?? '' }),
    );
    await Promise.all(proxies.map((proxy) => proxy.initialize()));
    await Promise.all(proxies.flatMap((proxy) => [proxy.call('echo'), proxy.call('echo')]));
    expect(recorders.map(({ invokedBy }) => new Set(invokedBy))).toEqual([
      new Set([ONE.accessKeyId]),
      new Set([TWO.accessKeyId]),
    ]);
    await home.expectNoSecret([ONE.secretAccessKey, TWO.secretAccessKey]);
  });
});

describe('credentials of a profile that changes', () => {
  it('stay the same while a file is incomplete, with one warning', async () => {
    const local = await startLocal();
    const home = await CredentialHome.make({ credentials: keys('work', ONE) });
    const recorder = await keyRecorder(local);
    const proxy = home.proxy(local, { AWS_PROFILE: 'work', AWS_ENDPOINT_URL: recorder.url });
    await proxy.initialize();
    await proxy.call('echo');
    await home.write('credentials', `[work]\naws_access_key_id = ${TWO.accessKeyId}\n`);
    const { happened: warning } = await callUntil(
      proxy,
      proxy.next('a warning', ({ params }) => params?.level === 'warning'),
    );
    expect((await proxy.call('echo')).result).toBeDefined();
    expect(warning.params.data).toMatch(
      /calls go on .*Could not use profile "work": it lacks aws_secret/,
    );
    await home.write('credentials', keys('work', TWO));
    await vi.waitFor(async () => {
      expect((await proxy.call('echo')).result).toBeDefined();
      expect(recorder.invokedBy.at(-1)).toBe(TWO.accessKeyId);
    }, MAX_WAIT_MS);
    await home.expectNoSecret([ONE.secretAccessKey, TWO.secretAccessKey]);
  });

  it('become those of a role once the profile names one, and a new region is logged', async () => {
    const local = await startLocal({ region: 'eu-west-1' });
    const home = await CredentialHome.make({
      config: '[profile work]\nregion = us-east-1\n',
      credentials: keys('work', ONE) + keys('base', TWO),
    });
    const recorder = await keyRecorder(local);
    const proxy = home.proxy(local, { AWS_PROFILE: 'work', AWS_ENDPOINT_URL: recorder.url });
    await proxy.initialize();
    const running = load(proxy);
    await home.write('credentials', keys('base', TWO));
    await home.write(
      'config',
      `[profile work]\nregion = eu-west-1\nrole_arn = ${ROLE}\nsource_profile = base\n`,
    );
    const told = await proxy.next('the region', ({ params }) =>
      /has the region/.test(params?.data),
    );
    expect(told.params.data).toContain('eu-west-1');
    await vi.waitFor(() => expect(recorder.invokedBy.at(-1)).toMatch(/^ASIA/), MAX_WAIT_MS);
    expect(await running.stop()).toEqual([]);
    expect(recorder.invokedBy.at(-1)).toMatch(/^ASIA/);
    await home.expectNoSecret([ONE.secretAccessKey, TWO.secretAccessKey, ...recorder.tokens]);
  });
});

const SSO = `[profile work]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = dev
[sso-session corp]
sso_region = eu-central-1
sso_start_url = https://corp.awsapps.com/start
`;
const TOKEN = 'hush-access-token';

async function signIn(home: CredentialHome, seconds: number): Promise<void> {
  const folder = join(home.path, '.aws', 'sso', 'cache');
  await mkdir(folder, { recursive: true });
  const name = createHash('sha1').update('corp').digest('hex');
  await writeFile(
    join(folder, `${name}.json`),
    JSON.stringify({
      startUrl: 'https://corp.awsapps.com/start',
      region: 'eu-central-1',
      accessToken: TOKEN,
      expiresAt: new Date(Date.now() + seconds * 1000).toISOString().replace(/\.\d+/, ''),
    }),
  );
}

/** The access portal: role credentials for a token, with this lifetime in seconds. */
async function portal(seconds: () => number): Promise<string> {
  return serve((request, response) => {
    const isIn = request.headers['x-amz-sso_bearer_token'] === TOKEN;
    response.writeHead(isIn ? 200 : 401, { 'content-type': 'application/json' });
    const { accessKeyId, secretAccessKey } = ONE;
    const roleCredentials = {
      accessKeyId,
      secretAccessKey,
      sessionToken: 'hush-session',
      expiration: Date.now() + seconds() * 1000,
    };
    response.end(JSON.stringify(isIn ? { roleCredentials } : { message: 'Unauthorized' }));
  });
}

describe('an SSO login', () => {
  const secrets = [TOKEN, 'hush-session', ONE.secretAccessKey];

  async function signedIn(capabilities: object) {
    const key = accessKey('one', { sessionToken: 'hush-session' });
    const local = await startLocal({ accessKeys: [key.config] });
    const home = await CredentialHome.make({ config: SSO });
    await signIn(home, 3_600);
    const AWS_ENDPOINT_URL_SSO = await portal(() => 2);
    const proxy = home.proxy(local, { AWS_PROFILE: 'work', AWS_ENDPOINT_URL_SSO });
    expect((await proxy.initialize(capabilities)).result?.serverInfo.name).toBe('fixture');
    return { home, proxy };
  }

  it('that is missing causes an error with the profile and the commands', async () => {
    const local = await startLocal();
    const home = await CredentialHome.make({ config: SSO });
    const { error } = await home.proxy(local, { AWS_PROFILE: 'work' }).initialize();
    expect(error.message).toContain('"agentcore-mcp login --profile work"');
    expect(error.message).toContain('"aws sso login --profile work"');
  });

  it('that expires fails the call at once if no user can be asked, and works again after a new login', async () => {
    const { home, proxy } = await signedIn({});
    await signIn(home, -10);
    const { happened } = await callUntil(
      proxy,
      proxy.next('a failure', ({ error }) => error),
    );
    expect(happened.error.message).toContain(
      'The SSO login of profile "work" is missing or has expired',
    );
    expect(proxy.lines.some(isQuestion)).toBe(false);
    await signIn(home, 3_600);
    expect((await proxy.call('echo')).result).toBeDefined();
    await home.expectNoSecret(secrets);
  });

  it('that expires delays all calls for one login if the client can ask the user', async () => {
    const { home, proxy } = await signedIn({ elicitation: {} });
    await signIn(home, -10);
    const { happened: question, open } = await callUntil(
      proxy,
      proxy.next('the question', isQuestion),
    );
    expect(question.params.message).toContain('agentcore-mcp login --profile work');
    const calls = [...open, proxy.call('echo')];
    await signIn(home, 3_600);
    for (const call of calls) expect((await call).result).toBeDefined();
    expect(proxy.lines.filter(isQuestion)).toHaveLength(1);
    const withdrawn = await proxy.next(
      'the withdrawal',
      ({ method }) => method === 'notifications/cancelled',
    );
    expect(withdrawn.params.requestId).toBe(question.id);
    await home.expectNoSecret(secrets);
  });

  it('that is declined fails the call with the error message', async () => {
    const { home, proxy } = await signedIn({ elicitation: { form: {} } });
    await signIn(home, -10);
    const { happened, open } = await callUntil(proxy, proxy.next('the question', isQuestion));
    const decline = ({ id }: { readonly id: unknown }) =>
      proxy.send({ jsonrpc: '2.0', id, result: { action: 'decline' } });
    decline(happened);
    // A call that arrives after the answer prompts again.
    const declineAll = async () => {
      for (;;) decline(await proxy.next('another question', isQuestion));
    };
    void declineAll().catch(() => undefined);
    const errors = await errorsOf(open);
    expect(errors.length).toBeGreaterThan(0);
    for (const { message } of errors) expect(message).toContain('aws sso login --profile work');
    await home.expectNoSecret(secrets);
  });
});
