import { afterEach, expect, it } from 'vitest';
import { prepareWindow } from '../../../src/extension/servers/preparation.ts';
import { readEntry } from '../../../src/extension/settings/runtime-entry.ts';
import { workspace } from '../vscode-stub.ts';

const entry = readEntry({ name: 'sample', local: {} });
const prepared = (env: Record<string, string>) =>
  prepareWindow(() => env)(entry, new AbortController().signal);

afterEach(() => {
  workspace.settings = {};
});

it('contains the AWS files, proxy and certificates of the window, and nothing without settings', async () => {
  expect(await prepared({})).toEqual({});
  workspace.settings = {
    'http.proxy': 'http://proxy.example:8080',
    'http.noProxy': ['*.corp.example'],
    'http.proxyStrictSSL': false,
    'http.systemCertificates': true,
  };
  const files = { AWS_CONFIG_FILE: '/aws/config', AWS_SHARED_CREDENTIALS_FILE: '/aws/keys' };
  expect(await prepared({ ...files, AWS_PROFILE: 'work' })).toMatchObject({
    ...files,
    HTTPS_PROXY: 'http://proxy.example:8080',
    NO_PROXY: '*.corp.example,localhost,127.0.0.1',
    NODE_TLS_REJECT_UNAUTHORIZED: '0',
    NODE_USE_SYSTEM_CA: '1',
  });
  workspace.settings = { 'http.proxySupport': 'off' };
  expect(await prepared({ HTTPS_PROXY: 'http://other.example' })).toMatchObject({
    HTTPS_PROXY: null,
  });
});
