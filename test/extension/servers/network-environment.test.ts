import { describe, expect, it } from 'vitest';
import { networkVariables } from '../../../src/extension/servers/network-environment.ts';

const NOTHING = {
  proxy: undefined,
  noProxy: [],
  proxySupport: 'override',
  strictSsl: true,
  systemCertificates: false,
};
const PROXY = 'http://proxy.example:8080';

describe("VS Code's settings of the network", () => {
  it('leave the environment alone where they say nothing', () => {
    expect(networkVariables(NOTHING, { HTTPS_PROXY: 'http://other.example' })).toEqual({});
  });

  it('name the proxy in both spellings, and never for this machine', () => {
    const variables = networkVariables({ ...NOTHING, proxy: PROXY }, {});
    expect(variables).toMatchObject({ HTTPS_PROXY: PROXY, https_proxy: PROXY, HTTP_PROXY: PROXY });
    expect(variables.NO_PROXY).toBe('localhost,127.0.0.1');
    expect(variables.no_proxy).toBe(variables.NO_PROXY);
  });

  it('add their exceptions to those of the environment', () => {
    const variables = networkVariables(
      { ...NOTHING, proxy: PROXY, noProxy: ['*.corp.example'] },
      { NO_PROXY: 'one.example, two.example' },
    );
    expect(variables.NO_PROXY).toBe('*.corp.example,one.example,two.example,localhost,127.0.0.1');
  });

  it('take every proxy away where proxies are switched off', () => {
    const variables = networkVariables({ ...NOTHING, proxy: PROXY, proxySupport: 'off' }, {});
    expect(variables).toMatchObject({ HTTPS_PROXY: null, http_proxy: null, ALL_PROXY: null });
  });

  it('hand on that certificates are not checked', () => {
    expect(networkVariables({ ...NOTHING, strictSsl: false }, {})).toEqual({
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
    });
  });

  it('hand on that the certificates of the operating system are trusted, but for who says otherwise', () => {
    const trusting = { ...NOTHING, systemCertificates: true };
    expect(networkVariables(trusting, {})).toEqual({ NODE_USE_SYSTEM_CA: '1' });
    expect(networkVariables(trusting, { NODE_USE_SYSTEM_CA: '0' })).toEqual({});
  });
});
