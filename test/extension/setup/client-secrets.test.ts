import { describe, expect, it } from 'vitest';
import { readEntry } from '../../../src/extension/runtimes/runtime-entry.ts';
import { environmentOf } from '../../../src/extension/servers/server-environment.ts';
import { ClientSecrets, prepareClientSecret } from '../../../src/extension/setup/client-secrets.ts';

const ARN = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/weather-Ab12Cd34Ef';
const oauth = readEntry({
  name: 'tools',
  arn: ARN,
  authorization: { type: 'oauth', clientId: 'c' },
});
const iam = readEntry({ name: 'weather', arn: ARN });
const signal = AbortSignal.timeout(10_000);

function storage(): { readonly kept: Map<string, string>; readonly secrets: ClientSecrets } {
  const kept = new Map<string, string>();
  const secrets = new ClientSecrets({
    get: async (key: string) => kept.get(key),
    store: async (key: string, value: string) => void kept.set(key, value),
    delete: async (key: string) => void kept.delete(key),
  } as never);
  return { kept, secrets };
}

describe('the secret of an OAuth client', () => {
  it('is kept by the entry’s name, and handed to its server at the start alone', async () => {
    const { kept, secrets } = storage();
    await secrets.store('tools', 'hush');
    expect([...kept]).toEqual([['oauth:tools', 'hush']]);
    expect(await prepareClientSecret(secrets)(oauth, signal)).toEqual({
      AGENTCORE_OAUTH_CLIENT_SECRET: 'hush',
    });
    expect(JSON.stringify(environmentOf(oauth))).not.toContain('hush');
  });

  it('is asked for by a sentence where it is missing, and by nobody for other entries', async () => {
    const { secrets } = storage();
    await expect(prepareClientSecret(secrets)(oauth, signal)).rejects.toThrow('"tools"');
    expect(await prepareClientSecret(secrets)(iam, signal)).toBeUndefined();
  });

  it('goes with an entry that gets another name, and away with one that is removed', async () => {
    const { kept, secrets } = storage();
    await secrets.store('tools', 'hush');
    await secrets.rename('tools', 'more');
    expect([...kept.keys()]).toEqual(['oauth:more']);
    await secrets.rename('more', 'more');
    expect(await secrets.has('more')).toBe(true);
    await secrets.remove('more');
    expect(kept.size).toBe(0);
  });
});
