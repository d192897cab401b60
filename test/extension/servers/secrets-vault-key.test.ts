import { afterEach, describe, expect, it, vi } from 'vitest';
import { prepareVaultKey, VaultKey } from '../../../src/extension/servers/secrets.ts';
import { readEntry } from '../../../src/extension/settings/runtime-entry.ts';
import { createServerEnvironment } from '../../../src/extension/settings/server-environment.ts';

const ARN = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/weather-Ab12Cd34Ef';
const free = readEntry({ name: 'free', arn: ARN });
const governed = readEntry({ name: 'governed', arn: ARN, policy: '/etc/policy.yaml' });
const { signal } = new AbortController();

/** The secret storage of VS Code, shared by several windows. */
function storage() {
  const kept = new Map<string, string>();
  const secrets = {
    get: async (key: string) => kept.get(key),
    store: async (key: string, value: string) => void kept.set(key, value),
  } as never;
  const logged: string[] = [];
  const prepare = prepareVaultKey(new VaultKey(secrets), (line) => logged.push(line));
  return { kept, secrets, logged, prepare };
}

afterEach(() => vi.unstubAllEnvs());

describe('the key of the redaction vault', () => {
  it('is created once, and shared by all servers and windows', async () => {
    const { kept, secrets, prepare } = storage();
    const [one, other] = await Promise.all([prepare(governed, signal), prepare(governed, signal)]);
    expect(other).toEqual(one);
    const key = one?.AGENTCORE_VAULT_KEY as string;
    expect(Buffer.from(key, 'base64')).toHaveLength(32);
    expect([...kept.values()]).toEqual([key]);
    expect(await new VaultKey(secrets).get()).toBe(key);
  });

  it('is the one of the last window if two create it at once', async () => {
    const { secrets } = storage();
    const [one, other] = await Promise.all([
      new VaultKey(secrets).get(),
      new VaultKey(secrets).get(),
    ]);
    expect(one).toBe(other);
  });

  it('is passed only to servers with a policy, and is never part of their stored definition', async () => {
    const { kept, prepare } = storage();
    expect(await prepare(free, signal)).toBeUndefined();
    expect(kept.size).toBe(0);
    expect(Object.keys(createServerEnvironment(governed))).not.toContain('AGENTCORE_VAULT_KEY');
  });

  it('is not set if the environment has one', async () => {
    vi.stubEnv('AGENTCORE_VAULT_KEY', Buffer.alloc(32).toString('base64'));
    const { kept, prepare } = storage();
    expect(await prepare(governed, signal)).toBeUndefined();
    expect(kept.size).toBe(0);
  });

  it('does not prevent a start if secret storage is unavailable', async () => {
    const logged: string[] = [];
    const broken = { get: () => Promise.reject(new Error('no keyring')) } as never;
    const prepare = prepareVaultKey(new VaultKey(broken), (line) => logged.push(line));
    expect(await prepare(governed, signal)).toBeUndefined();
    expect(logged).toEqual([expect.stringContaining('no keyring')]);
  });
});
