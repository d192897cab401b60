import { describe, expect, it } from 'vitest';
import { readEntry } from '../../../src/extension/settings/runtime-entry.ts';
import {
  createServerEnvironment,
  getDefinitionVersion,
} from '../../../src/extension/settings/server-environment.ts';
import { readProxySettings } from '../../../src/programs/proxy-settings.ts';

const ARN = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/weather-Ab12Cd34Ef';
const ROLE = 'arn:aws:iam::210987654321:role/Caller';

/** Starts the proxy as VS Code does, in a window with other variables in its environment. */
function startedWith(entry: object, window: Record<string, string> = {}) {
  const env: Record<string, string | undefined> = { ...window };
  for (const [name, value] of Object.entries(createServerEnvironment(readEntry(entry)))) {
    if (value === null) delete env[name];
    else env[name] = value;
  }
  return env;
}

describe('the environment of a server', () => {
  it('configures the proxy as in the entry', () => {
    const env = startedWith({
      name: 'weather',
      arn: `${ARN}/runtime-endpoint/prod`,
      profile: 'work',
      assumeRole: { arn: ROLE, sessionName: 'someone', externalId: 'x1' },
      sessionMode: 'request',
      readTimeout: 60,
      connectTimeout: 5,
      keepAlive: 20,
      retries: 2,
      stopOnExit: false,
    });
    expect(readProxySettings(env)).toMatchObject({
      server: { kind: 'runtime', runtime: { arn: ARN }, qualifier: 'prod' },
      profile: 'work',
      mode: 'request',
      assumeRole: { arn: ROLE, sessionName: 'someone', externalId: 'x1' },
      timeouts: { read: 60_000, connect: 5_000 },
      maxRetries: 2,
      keepAlive: 20_000,
      stopsSessions: false,
    });
  });

  it('removes variables of the window that belong to another runtime', () => {
    const env = startedWith(
      { name: 'weather', arn: ARN },
      {
        AGENT_ARN: 'arn:other',
        AGENTCORE_AGENT_ARN: 'arn:other',
        AGENTCORE_QUALIFIER: 'other',
        RUNTIME_SESSION_MODE: 'identity',
        AGENTCORE_ASSUME_ROLE_ARN: ROLE,
        AGENTCORE_ASSUME_ROLE_EXTERNAL_ID: 'other',
      },
    );
    expect(readProxySettings(env)).toMatchObject({
      server: { kind: 'runtime', runtime: { arn: ARN }, qualifier: undefined },
      mode: 'session',
      assumeRole: undefined,
    });
  });

  it('keeps the profile of the window if the entry has none', () => {
    const env = startedWith({ name: 'weather', arn: ARN }, { AWS_PROFILE: 'usual' });
    expect(readProxySettings(env).profile).toBe('usual');
  });
});

describe('the version of a server', () => {
  const version = (entry: object) =>
    getDefinitionVersion('1.2.3', createServerEnvironment(readEntry(entry)));

  it('stays the same as long as nothing changes', () => {
    expect(version({ name: 'weather', arn: ARN })).toBe(version({ arn: ARN, name: 'weather' }));
    expect(version({ name: 'weather', arn: ARN })).toMatch(/^1\.2\.3\+[0-9a-f]{12}$/);
  });

  it('changes with the configuration and with the extension', () => {
    const versions = [
      version({ name: 'weather', arn: ARN }),
      version({ name: 'weather', arn: ARN, profile: 'work' }),
      version({ name: 'weather', arn: ARN, sessionMode: 'request' }),
      getDefinitionVersion(
        '1.2.4',
        createServerEnvironment(readEntry({ name: 'weather', arn: ARN })),
      ),
    ];
    expect(new Set(versions).size).toBe(versions.length);
  });
});
