import { describe, expect, it } from 'vitest';
import { createNetworkVariables } from '../../../src/extension/settings/window-settings.ts';

const NOTHING = {
  proxy: undefined,
  noProxy: [],
  proxySupport: 'override',
  strictSsl: true,
  systemCertificates: false,
};
const PROXY = 'http://proxy.example:8080';

describe("VS Code's network settings", () => {
  it('do not change the environment if they are empty', () => {
    expect(createNetworkVariables(NOTHING, { HTTPS_PROXY: 'http://other.example' })).toEqual({});
  });

  it('set the proxy variables in both spellings, and exclude this machine', () => {
    const variables = createNetworkVariables({ ...NOTHING, proxy: PROXY }, {});
    expect(variables).toMatchObject({ HTTPS_PROXY: PROXY, https_proxy: PROXY, HTTP_PROXY: PROXY });
    expect(variables.NO_PROXY).toBe('localhost,127.0.0.1');
    expect(variables.no_proxy).toBe(variables.NO_PROXY);
  });

  it('add their exceptions to those of the environment', () => {
    const variables = createNetworkVariables(
      { ...NOTHING, proxy: PROXY, noProxy: ['*.corp.example'] },
      { NO_PROXY: 'one.example, two.example' },
    );
    expect(variables.NO_PROXY).toBe('*.corp.example,one.example,two.example,localhost,127.0.0.1');
  });

  it('remove all proxy variables if proxy support is off', () => {
    const variables = createNetworkVariables({ ...NOTHING, proxy: PROXY, proxySupport: 'off' }, {});
    expect(variables).toMatchObject({ HTTPS_PROXY: null, http_proxy: null, ALL_PROXY: null });
  });

  it('pass on that certificates are not verified', () => {
    expect(createNetworkVariables({ ...NOTHING, strictSsl: false }, {})).toEqual({
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
    });
  });

  it('pass on that system certificates are trusted, unless the environment sets otherwise', () => {
    const trusting = { ...NOTHING, systemCertificates: true };
    expect(createNetworkVariables(trusting, {})).toEqual({ NODE_USE_SYSTEM_CA: '1' });
    expect(createNetworkVariables(trusting, { NODE_USE_SYSTEM_CA: '0' })).toEqual({});
  });
});
