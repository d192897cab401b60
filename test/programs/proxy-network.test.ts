import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { proxyTo } from '../fixtures/proxied-runtime.ts';
import { startProxy } from '../fixtures/proxy-process.ts';
import { startUpstream } from '../fixtures/scripted-upstream.ts';
import { startForwardProxy, startTlsFront, temporaryFolder } from '../fixtures/tls.ts';
import { start, statelessMcp } from '../local/harness.ts';

const ROLE = 'arn:aws:iam::123456789012:role/caller';

describe('the network connection', () => {
  it.each(['NODE_EXTRA_CA_CERTS', 'AWS_CA_BUNDLE'])(
    'trusts the certificates in %s',
    async (variable) => {
      const upstream = await startUpstream();
      const front = await startTlsFront(upstream.url);
      const trusting = startProxy(front.url, { [variable]: front.authority });
      expect((await trusting.initialize()).result.serverInfo.name).toBe('scripted');
    },
  );

  it('trusts the ca_bundle of its own profile, and of no other profile', async () => {
    const upstream = await startUpstream();
    const front = await startTlsFront(upstream.url);
    const folder = await temporaryFolder();
    const key = 'aws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = not-a-secret\n';
    const config = `[profile dev]\n${key}ca_bundle = ${front.authority}\n[profile other]\n${key}`;
    await writeFile(join(folder, 'config'), config);
    const env = {
      AWS_CONFIG_FILE: join(folder, 'config'),
      AWS_SHARED_CREDENTIALS_FILE: join(folder, 'none'),
    };
    const trusting = startProxy(front.url, { ...env, AWS_PROFILE: 'dev' });
    expect((await trusting.initialize()).result.serverInfo.name).toBe('scripted');
    const { error } = await startProxy(front.url, { ...env, AWS_PROFILE: 'other' }).initialize();
    expect(error.message).toContain('certificate is not trusted');
  });

  it.runIf(process.platform === 'linux')(
    'trusts system certificates if NODE_USE_SYSTEM_CA is set',
    async () => {
      const upstream = await startUpstream();
      const front = await startTlsFront(upstream.url);
      // Makes the certificate a system certificate, which Node does not contain.
      const system = { SSL_CERT_FILE: front.authority, SSL_CERT_DIR: dirname(front.authority) };
      const trusting = startProxy(front.url, { ...system, NODE_USE_SYSTEM_CA: '1' });
      expect((await trusting.initialize()).result.serverInfo.name).toBe('scripted');
      const { error } = await startProxy(front.url, system).initialize();
      expect(error.message).toContain('certificate is not trusted');
    },
  );

  it('rejects unknown certificates with an error that names the next step', async () => {
    const upstream = await startUpstream();
    const front = await startTlsFront(upstream.url);
    const { error } = await startProxy(front.url).initialize();
    expect(error.message).toMatch(/certificate is not trusted.*NODE_EXTRA_CA_CERTS/);
    expect(upstream.seen).toEqual([]);
  });

  it('uses HTTPS_PROXY with CONNECT, with the proxy’s password, on reused sockets', async () => {
    const upstream = await startUpstream();
    const front = await startTlsFront(upstream.url);
    const forward = await startForwardProxy();
    const proxy = startProxy(front.url, {
      AWS_CA_BUNDLE: front.authority,
      HTTPS_PROXY: forward.url.replace('//', '//user:pass@'),
      LOG_LEVEL: 'debug',
    });
    expect((await proxy.initialize()).error).toBeUndefined();
    await upstream.sawMethod('notifications/initialized');
    await proxy.close();
    expect(new Set(forward.asked)).toEqual(new Set([`CONNECT localhost:${front.port}`]));
    expect(forward.authorizations[0]).toBe(`Basic ${btoa('user:pass')}`);
    expect(proxy.stderr).not.toContain('pass@');
  });

  it('uses HTTP_PROXY for a plain endpoint', async () => {
    const upstream = await startUpstream();
    const forward = await startForwardProxy();
    const proxy = startProxy(upstream.url, { HTTP_PROXY: forward.url });
    await proxy.initialize();
    expect(forward.asked[0]).toContain('/invocations');
  });

  it('names the proxy in the error if the proxy cannot be reached', async () => {
    const proxy = startProxy('http://runtime.example', {
      HTTP_PROXY: 'http://u:secret@127.0.0.1:9',
    });
    const { error } = await proxy.initialize();
    expect(error.message).toContain('runtime.example through the proxy 127.0.0.1:9 failed');
    expect(error.message).not.toContain('secret');
  });

  it('connects directly to the hosts of NO_PROXY', async () => {
    const upstream = await startUpstream();
    const proxy = startProxy(upstream.url, {
      HTTP_PROXY: 'http://127.0.0.1:1',
      NO_PROXY: 'example.com,127.0.0.1',
    });
    expect((await proxy.initialize()).result).toBeDefined();
  });

  it('is the same for the clients inside credential providers', async () => {
    const local = await start({ server: statelessMcp() }, { roles: [{ arn: ROLE }] });
    const front = await startTlsFront(local.url);
    const forward = await startForwardProxy();
    const proxy = proxyTo(local, {
      AGENTCORE_ASSUME_ROLE_ARN: ROLE,
      AWS_ENDPOINT_URL_STS: front.url,
      AWS_CA_BUNDLE: front.authority,
      HTTPS_PROXY: forward.url,
    });
    const answer = await proxy.initialize();
    expect(answer.error).toBeUndefined();
    expect(forward.asked).toEqual([`CONNECT localhost:${front.port}`]);
  });
});
