import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import { type ProxyProcess, startProxy } from '../fixtures/proxy-process.ts';
import { temporaryFolder } from '../fixtures/tls.ts';
import { start, statelessMcp } from '../local/harness.ts';

const ROLE = 'arn:aws:iam::123456789012:role/caller';

interface Files {
  readonly config?: string;
  readonly credentials?: string;
}

/** A proxy that finds its credentials in files, and none in the environment. */
async function proxyWith(
  local: LocalRuntime,
  files: Files,
  env: Record<string, string> = {},
): Promise<ProxyProcess> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'config'), files.config ?? '');
  await writeFile(join(folder, 'credentials'), files.credentials ?? '');
  return startProxy(local.url, {
    AGENTCORE_AGENT_ARN: local.runtime('server').arn,
    AWS_ACCESS_KEY_ID: '',
    AWS_SECRET_ACCESS_KEY: '',
    AWS_CONFIG_FILE: join(folder, 'config'),
    AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'),
    AWS_EC2_METADATA_DISABLED: 'true',
    ...env,
  });
}

function staticKeys(local: LocalRuntime): string {
  const { accessKeyId, secretAccessKey } = local.credentials;
  return `aws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`;
}

describe('credentials', () => {
  it('come from the profile that AWS_PROFILE names', async () => {
    const local = await start({ server: statelessMcp() });
    const proxy = await proxyWith(
      local,
      { credentials: `[work]\n${staticKeys(local)}` },
      { AWS_PROFILE: 'work' },
    );
    expect((await proxy.initialize()).result.serverInfo.name).toBe('fixture');
    expect(proxy.stderr).toBe('');
  });

  it('come from a process that the profile names', async () => {
    const local = await start({ server: statelessMcp() });
    const { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey } = local.credentials;
    const answer = JSON.stringify({ Version: 1, AccessKeyId, SecretAccessKey });
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'keys.mjs'), `console.log(${JSON.stringify(answer)})`);
    const command = `"${process.execPath}" "${join(folder, 'keys.mjs')}"`;
    const proxy = await proxyWith(
      local,
      { config: `[profile work]\ncredential_process = ${command}\n` },
      { AWS_PROFILE: 'work' },
    );
    expect((await proxy.initialize()).result.serverInfo.name).toBe('fixture');
  });

  it('are those of the role that is to be assumed, under the name that was asked for', async () => {
    const local = await start({ server: statelessMcp() }, { roles: [{ arn: ROLE }] });
    const proxy = await proxyWith(
      local,
      { credentials: `[default]\n${staticKeys(local)}` },
      { AGENTCORE_ASSUME_ROLE_ARN: ROLE, AGENTCORE_ASSUME_ROLE_SESSION_NAME: 'tester' },
    );
    expect((await proxy.initialize()).result.serverInfo.name).toBe('fixture');
    expect((await proxy.call('echo', { text: 'x' })).result).toBeDefined();
    const assumed = local.requests.filter(({ path }) => path === '/');
    expect(assumed).toHaveLength(1);
  });

  it('that are not there are said to be missing, with what to do, and looked for again', async () => {
    const local = await start({ server: statelessMcp() });
    const folder = await temporaryFolder();
    const credentials = join(folder, 'credentials');
    const proxy = await proxyWith(local, {}, { AWS_SHARED_CREDENTIALS_FILE: credentials });
    const { error } = await proxy.initialize();
    expect(error.data.reason).toBe('credentials');
    expect(error.message).toMatch(/No AWS credentials.*AWS_PROFILE/);
    expect(local.requests).toEqual([]);
  });

  it('of an SSO login that has expired name the profile and the command', async () => {
    const local = await start({ server: statelessMcp() });
    const proxy = await proxyWith(
      local,
      {
        config:
          '[profile work]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = dev\n[sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.awsapps.com/start\n',
      },
      { AWS_PROFILE: 'work', HOME: await temporaryFolder() },
    );
    const { error } = await proxy.initialize();
    expect(error.message).toContain('aws sso login --profile work');
  });

  it('of a role that may not be assumed name the role and both sides of the permission', async () => {
    const local = await start(
      { server: statelessMcp() },
      { roles: [{ arn: ROLE, externalId: 'needed' }] },
    );
    const proxy = await proxyWith(
      local,
      { credentials: `[default]\n${staticKeys(local)}` },
      { AGENTCORE_ASSUME_ROLE_ARN: ROLE },
    );
    const { error } = await proxy.initialize();
    expect(error.message).toContain(ROLE);
    expect(error.message).toMatch(/trust policy.*sts:AssumeRole/);
  });

  it('of a role are renewed before they expire, once for all calls', async () => {
    // Less than the five minutes that credentials must have left, so each call finds them due.
    const local = await start(
      { server: statelessMcp() },
      { roles: [{ arn: ROLE, sessionDuration: 60 }] },
    );
    const proxy = await proxyWith(
      local,
      { credentials: `[default]\n${staticKeys(local)}` },
      { AGENTCORE_ASSUME_ROLE_ARN: ROLE },
    );
    await proxy.initialize();
    const assumed = () => local.requests.filter(({ path }) => path === '/').length;
    await local.until(() => local.requests.length >= 4, 'the handshake');
    const before = assumed();
    await Promise.all(Array.from({ length: 20 }, () => proxy.call('echo', { text: 'x' })));
    expect(assumed() - before).toBeGreaterThanOrEqual(1);
    expect(assumed() - before).toBeLessThan(20);
  });
});
