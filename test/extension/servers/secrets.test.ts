import { afterEach, describe, expect, it, vi } from 'vitest';
import { ClientSecrets, prepareClientSecret } from '../../../src/extension/servers/secrets.ts';
import { readEntry } from '../../../src/extension/settings/runtime-entry.ts';
import { createServerEnvironment } from '../../../src/extension/settings/server-environment.ts';
import { workspace } from '../vscode-stub.ts';

const ARN = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/weather-Ab12Cd34Ef';
const AUTHORIZATION = {
  type: 'oauth',
  clientId: 'c',
  tokenUrl: 'https://login.example.com/token',
};
const WRITTEN = { name: 'tools', arn: ARN, authorization: AUTHORIZATION };
const oauth = readEntry(WRITTEN);
const iam = readEntry({ name: 'weather', arn: ARN });
const { signal } = new AbortController();
const refused = new Error('not confirmed');
const consent = {
  require: () => {
    throw refused;
  },
};

function storage(): { readonly kept: Map<string, string>; readonly secrets: ClientSecrets } {
  const kept = new Map<string, string>();
  const secrets = new ClientSecrets({
    get: async (key: string) => kept.get(key),
    store: async (key: string, value: string) => void kept.set(key, value),
    delete: async (key: string) => void kept.delete(key),
  } as never);
  return { kept, secrets };
}

afterEach(() => {
  vi.unstubAllEnvs();
  workspace.ofWorkspace.clear();
  workspace.settings = {};
});

describe('the secret of an OAuth client', () => {
  it('is stored under the entry’s name, and passed to its server only at the start', async () => {
    const { kept, secrets } = storage();
    await secrets.store(oauth, 'hush');
    expect([...kept.keys()]).toEqual(['oauth:tools']);
    expect(await prepareClientSecret(secrets, consent)(oauth, signal)).toEqual({
      AGENTCORE_OAUTH_CLIENT_SECRET: 'hush',
    });
    expect(JSON.stringify(createServerEnvironment(oauth))).not.toContain('hush');
  });

  it('is requested by an error message if it is missing, but not for other entries', async () => {
    const { secrets } = storage();
    const step = prepareClientSecret(secrets, consent);
    await expect(step(oauth, signal)).rejects.toThrow('"tools": its client secret is not stored');
    expect(await step(iam, signal)).toBeUndefined();
  });

  it.each([
    ['client id', { ...WRITTEN, authorization: { ...AUTHORIZATION, clientId: 'other' } }],
    [
      'token URL',
      { ...WRITTEN, authorization: { ...AUTHORIZATION, tokenUrl: 'https://evil.example/token' } },
    ],
    ['token URL', { ...WRITTEN, authorization: { type: 'oauth', clientId: 'c' } }],
    ['ARN', { ...WRITTEN, arn: ARN.replace('weather', 'other') }],
    ['endpoint URL', { ...WRITTEN, endpointUrl: 'https://evil.example' }],
  ])(
    'is requested again if the %s changes, and is found again after a revert',
    async (field, written) => {
      const { secrets } = storage();
      await secrets.store(oauth, 'hush');
      const changed = readEntry(written);
      expect(await secrets.get(changed)).toBeUndefined();
      const start = prepareClientSecret(secrets, consent)(changed, signal);
      await expect(start).rejects.toMatchObject({
        message: expect.stringContaining(`entered for another ${field}`),
        data: { lacksSecret: true },
      });
      expect(await secrets.get(oauth)).toBe('hush');
    },
  );

  it.each(['hush', '{"a":1}', '"hush"', 'null'])(
    'is requested again if version 0.1.0 stored %s',
    async (stored) => {
      const { kept, secrets } = storage();
      kept.set('oauth:tools', stored);
      const start = prepareClientSecret(secrets, consent)(oauth, signal);
      await expect(start).rejects.toThrow('version 0.1.0 stored it without the token URL');
      await secrets.store(oauth, 'again');
      expect(await secrets.get(oauth)).toBe('again');
    },
  );

  it('follows a renamed entry, and is deleted with a removed one', async () => {
    const { kept, secrets } = storage();
    const more = readEntry({ ...WRITTEN, name: 'more' });
    await secrets.store(oauth, 'hush');
    await secrets.rename('tools', 'more');
    expect([...kept.keys()]).toEqual(['oauth:more']);
    await secrets.rename('more', 'more');
    expect(await secrets.has(more)).toBe(true);
    await secrets.remove('more');
    expect(kept.size).toBe(0);
  });

  it('of the environment goes to a server of the workspace only after confirmation', async () => {
    vi.stubEnv('AGENTCORE_OAUTH_CLIENT_SECRET', 'hush');
    const step = prepareClientSecret(storage().secrets, consent);
    workspace.settings = { 'agentcore.runtimes': [WRITTEN] };
    expect(await step(oauth, signal)).toBeUndefined();
    workspace.ofWorkspace.add('agentcore.runtimes');
    await expect(step(oauth, signal)).rejects.toBe(refused);
  });
});
