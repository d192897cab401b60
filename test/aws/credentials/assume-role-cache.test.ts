import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { getRoleCachePath, withRoleCache } from '../../../src/aws/credentials/assume-role.ts';

const MINUTE = 60_000;
const ROLE = {
  arn: 'arn:aws:iam::123456789012:role/Deployer',
  sessionName: 'me',
  mfaSerial: 'arn:aws:iam::123456789012:mfa/me',
};

function home() {
  const path = mkdtempSync(join(tmpdir(), 'role-cache-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  const env = { HOME: path };
  return { env, file: getRoleCachePath(ROLE, env) };
}

/** Writes a cache file like the AWS CLI. */
function keep(file: string, minutes: number, expiration?: string): void {
  mkdirSync(dirname(file), { recursive: true });
  const Expiration = expiration ?? new Date(Date.now() + minutes * MINUTE).toISOString();
  const Credentials = {
    AccessKeyId: 'ASIAKEPT',
    SecretAccessKey: 'kept',
    SessionToken: 'kept',
    Expiration,
  };
  writeFileSync(file, JSON.stringify({ Credentials, ResponseMetadata: {} }));
}

const fresh = (minutes = 60) => ({
  accessKeyId: 'ASIAFRESH',
  secretAccessKey: 'fresh',
  sessionToken: 'fresh',
  expiration: new Date(Date.now() + minutes * MINUTE),
});

async function assumed(env: { HOME: string }, assume: () => Promise<ReturnType<typeof fresh>>) {
  return (await withRoleCache(ROLE, { env, onFile: () => undefined }, assume)).accessKeyId;
}

const refuse = () => Promise.reject(new Error('nobody can be asked'));

describe('the cache file name', () => {
  // Reference: hashlib.sha1(json.dumps(args, sort_keys=True).encode()).hexdigest() + '.json'
  it('equals the name that the AWS CLI derives from the arguments', () => {
    const name = (role: object) => basename(getRoleCachePath({ ...ROLE, ...role }, { HOME: '/' }));
    expect(name({})).toBe('318d8928ab6eb5445b8d8bdf7443a09ce2e3e67f.json');
    expect(name({ externalId: 'x"1', duration: 900 })).toBe(
      'db8d59359a4fb1501ca46797f721d4efeaf70123.json',
    );
    expect(name({ sessionName: 'agentcore-mcp' })).toBe(
      '2663bc1b94ef81d9cc27e2f714f03d76df914b03.json',
    );
    expect(name({ mfaSerial: 'Gerät' })).toBe('4d47f12097808e5da289fd7032e637aa069f78ff.json');
  });
});

describe('a role that requires an MFA code', () => {
  it('is assumed once for all programs, in a file that only its owner can read', async () => {
    const { env, file } = home();
    let asked = 0;
    const assume = async () => {
      asked += 1;
      return fresh();
    };
    expect(await assumed(env, assume)).toBe('ASIAFRESH');
    expect(await assumed(env, assume)).toBe('ASIAFRESH');
    expect(asked).toBe(1);
    expect(JSON.parse(readFileSync(file, 'utf8')).Credentials).toEqual({
      AccessKeyId: 'ASIAFRESH',
      SecretAccessKey: 'fresh',
      SessionToken: 'fresh',
      Expiration: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    });
    if (process.platform !== 'win32') expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(dirname(file))).toEqual([basename(file)]);
  });

  it('uses the credentials that the AWS CLI cached for a code', async () => {
    const { env, file } = home();
    keep(file, 60);
    expect(await assumed(env, refuse)).toBe('ASIAKEPT');
    keep(file, 60, `${new Date(Date.now() + 60 * MINUTE).toISOString().slice(0, 19)}UTC`);
    expect(await assumed(env, refuse)).toBe('ASIAKEPT');
  });

  it('prompts again shortly before expiry, and uses the cached credentials if no user can be asked', async () => {
    const { env, file } = home();
    keep(file, 10);
    expect(await assumed(env, refuse)).toBe('ASIAKEPT');
    expect(await assumed(env, async () => fresh())).toBe('ASIAFRESH');
  });

  it('never uses cached credentials that have expired or do not match', async () => {
    const { env, file } = home();
    keep(file, 0.5);
    await expect(assumed(env, refuse)).rejects.toThrow('nobody can be asked');
    writeFileSync(file, '{"Credentials":{"AccessKeyId":"half"');
    await expect(assumed(env, refuse)).rejects.toThrow('nobody can be asked');
    keep(file, 60, 'someday');
    await expect(assumed(env, refuse)).rejects.toThrow('nobody can be asked');
  });

  it('works without the cache if the cache cannot be written', async () => {
    const { env } = home();
    writeFileSync(join(env.HOME, '.aws'), 'a file in the way');
    expect(await assumed(env, async () => fresh())).toBe('ASIAFRESH');
  });
});
