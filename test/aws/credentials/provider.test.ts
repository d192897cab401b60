import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createCredentialProvider } from '../../../src/aws/credentials/provider.ts';
import { SigningClock } from '../../../src/aws/sigv4.ts';
import { Network } from '../../../src/http/network.ts';
import { CredentialHome, keys } from './credential-fixtures.ts';

const MINUTE = 60_000;
const START = Date.parse('2026-01-01T00:00:00Z');

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: START });
  onTestFinished(() => {
    vi.useRealTimers();
  });
});

/** An environment that issues new keys for each lookup. `minutes` is their lifetime. */
function issuing(minutes: number | undefined, clock = new SigningClock()) {
  let issued = 0;
  let isFixed = false;
  const env = {
    get AWS_ACCESS_KEY_ID() {
      if (!isFixed || issued === 0) issued++;
      return `AKIA${issued}`;
    },
    AWS_SECRET_ACCESS_KEY: 'hush',
    get AWS_CREDENTIAL_EXPIRATION() {
      return minutes === undefined
        ? undefined
        : new Date(Date.now() + minutes * MINUTE).toISOString();
    },
  };
  const [profile, region, assumeRole, network] = [undefined, undefined, undefined, new Network({})];
  const credentials = createCredentialProvider({
    profile,
    region,
    assumeRole,
    network,
    env,
    clock,
  });
  return {
    credentials,
    clock,
    issued: () => issued,
    /** From now on every lookup returns the same keys. */
    fix: () => {
      isFixed = true;
    },
  };
}

describe('cached credentials', () => {
  it('are looked up once for concurrent callers', async () => {
    const { credentials, issued } = issuing(60);
    const found = await Promise.all([credentials(), credentials(), credentials()]);
    expect(new Set(found.map(({ accessKeyId }) => accessKeyId))).toEqual(new Set(['AKIA1']));
    expect(issued()).toBe(1);
  });

  it('are refreshed in the background minutes before they expire if they are in use', async () => {
    const { credentials } = issuing(60);
    await credentials();
    await credentials();
    await vi.advanceTimersByTimeAsync(53 * MINUTE);
    expect((await credentials()).accessKeyId).toBe('AKIA1');
    await vi.advanceTimersByTimeAsync(2 * MINUTE);
    expect((await credentials()).accessKeyId).toBe('AKIA2');
  });

  it('are not refreshed if no caller uses them', async () => {
    const { credentials, issued } = issuing(60);
    await credentials();
    await vi.advanceTimersByTimeAsync(24 * 60 * MINUTE);
    expect(issued()).toBe(1);
    expect((await credentials()).accessKeyId).toBe('AKIA2');
  });

  it('are refreshed once for all calls that were rejected with them', async () => {
    const { credentials, issued } = issuing(60);
    await credentials();
    const since = performance.now();
    const together = [credentials.renew(since), credentials.renew(since)];
    expect(await Promise.all(together)).toEqual([true, true]);
    // Rejected later, but also sent with the old credentials.
    expect(await credentials.renew(since)).toBe(true);
    expect(issued()).toBe(2);
    expect(await credentials.renew(performance.now())).toBe(true);
    expect(issued()).toBe(3);
  });

  it('do not allow a retry if the refresh yields the same credentials, for any open call', async () => {
    const { credentials, fix } = issuing(undefined);
    fix();
    await credentials();
    const since = performance.now();
    expect(await credentials.renew(since)).toBe(false);
    expect(await credentials.renew(since)).toBe(false);
  });

  it('expire by AWS time if the local clock is wrong', async () => {
    const { credentials, clock, issued } = issuing(60);
    clock.learn(new Date(START - 180 * MINUTE).toUTCString());
    await credentials();
    await vi.advanceTimersByTimeAsync(100 * MINUTE);
    expect((await credentials()).accessKeyId).toBe('AKIA1');
    clock.learn(new Date(START + 300 * MINUTE).toUTCString());
    expect((await credentials()).accessKeyId).toBe('AKIA2');
    expect(issued()).toBe(2);
  });

  it('allow a retry once the AWS time is known', async () => {
    const { credentials, clock, issued } = issuing(60);
    await credentials();
    const since = performance.now();
    clock.learn(new Date(START - 20 * MINUTE).toUTCString());
    expect(await credentials.renew(since)).toBe(true);
    expect(issued()).toBe(1);
  });
});

describe('credentials of a role that requires MFA', () => {
  it('do not prompt again because a call was rejected', async () => {
    vi.useRealTimers();
    const config = `[profile work]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\nmfa_serial = arn:aws:iam::123456789012:mfa/me\n`;
    const key = { accessKeyId: 'AKIABASE', secretAccessKey: 'hush' };
    const home = await CredentialHome.make({ credentials: keys('base', key) + keys('work', key) });
    let asked = 0;
    const credentials = createCredentialProvider({
      profile: 'work',
      region: 'us-east-1',
      assumeRole: undefined,
      network: new Network({}),
      env: home.env,
      prompts: {
        mfaCode: async () => {
          asked++;
          throw new Error('it was declined');
        },
      },
    });
    await credentials();
    await home.write('config', config);
    await home.write('credentials', keys('base', key));
    expect(await credentials.renew(performance.now())).toBe(false);
    expect(asked).toBe(0);
    await expect(credentials({ forceRefresh: true })).rejects.toThrow('it was declined');
    expect(asked).toBe(1);
  });
});
