import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readServiceSettings } from '../../src/aws/endpoints.ts';

const CONFIG = `
[default]
region = us-east-1
endpoint_url = http://default

[profile work]
region = eu-west-1
use_fips_endpoint = true
services = local

[services local]
bedrock_agentcore =
  endpoint_url = http://work
`;

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shared-config-'));
  await writeFile(join(folder, 'config'), CONFIG);
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function read(profile: string | undefined, env: Record<string, string> = {}) {
  const files = {
    AWS_CONFIG_FILE: join(folder, 'config'),
    AWS_SHARED_CREDENTIALS_FILE: join(folder, 'none'),
  };
  return readServiceSettings('Bedrock AgentCore', profile, { ...files, ...env });
}

describe('service settings', () => {
  it('come from the named profile, not from the one in AWS_PROFILE', async () => {
    expect(await read('work', { AWS_PROFILE: 'default' })).toEqual({
      region: 'eu-west-1',
      fips: true,
      dualStack: false,
      override: 'http://work',
    });
  });

  it('come from the default profile if no profile is named', async () => {
    expect(await read(undefined)).toMatchObject({
      region: 'us-east-1',
      override: 'http://default',
    });
  });

  it('come from the environment first', async () => {
    const env = {
      AWS_REGION: 'ap-south-1',
      AWS_USE_FIPS_ENDPOINT: 'false',
      AWS_USE_DUALSTACK_ENDPOINT: 'true',
      AWS_ENDPOINT_URL: 'http://all',
    };
    expect(await read('work', env)).toEqual({
      region: 'ap-south-1',
      fips: false,
      dualStack: true,
      override: 'http://all',
    });
    expect(
      await read('work', { ...env, AWS_ENDPOINT_URL_BEDROCK_AGENTCORE: 'http://one' }),
    ).toMatchObject({ override: 'http://one' });
  });

  it('contain no endpoint override if configured endpoints are to be ignored', async () => {
    const env = { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true', AWS_ENDPOINT_URL: 'http://all' };
    expect(await read('work', env)).toMatchObject({ override: undefined });
  });
});
