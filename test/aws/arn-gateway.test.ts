import { describe, expect, it } from 'vitest';
import { isGatewayAddress, parseGatewayAddress } from '../../src/aws/arn.ts';
import { getGatewayUrl } from '../../src/aws/endpoints.ts';

const ARN = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:gateway/tools-abcdefghij';
const URL_IN_AWS = 'https://tools-abcdefghij.gateway.bedrock-agentcore.eu-west-1.amazonaws.com/mcp';
const PLAIN = { fips: false, dualStack: false, override: undefined };

const urlOf = (text: string, endpoint = {}) =>
  getGatewayUrl(parseGatewayAddress(text), { ...PLAIN, ...endpoint }).href;

describe('the URL of a gateway', () => {
  it.each([ARN, URL_IN_AWS, ` ${ARN}\n`])('is the AWS URL: %j', (text) => {
    expect(isGatewayAddress(text)).toBe(true);
    expect(parseGatewayAddress(text).region).toBe('eu-west-1');
    expect(urlOf(text)).toBe(URL_IN_AWS);
  });

  it.each([ARN, URL_IN_AWS])('is below a custom endpoint if one is set: %s', (text) => {
    expect(urlOf(text, { override: 'http://127.0.0.1:8787/base/' })).toBe(
      'http://127.0.0.1:8787/base/gateways/tools-abcdefghij/mcp',
    );
  });

  it('may have a custom domain, which no custom endpoint replaces', () => {
    const text = 'https://tools.example.com/team/mcp';
    expect(parseGatewayAddress(text).region).toBeUndefined();
    expect(urlOf(text, { override: 'http://127.0.0.1:8787' })).toBe(text);
  });

  it.each([
    'arn:aws:bedrock-agentcore:eu-west-1:123456789012:gateway/a/b',
    'arn:aws:bedrock-agentcore:nowhere:123456789012:gateway/tools-abcdefghij',
    'arn:aws:bedrock-agentcore:eu-west-1:12:gateway/tools-abcdefghij',
    'http://tools.example.com/mcp',
    'https://me:hush@tools.example.com/mcp',
    'https://',
  ])('cannot be derived from %s', (text) => {
    expect(isGatewayAddress(text)).toBe(true);
    expect(() => parseGatewayAddress(text)).toThrow(
      /^Not the (ARN|address) of an AgentCore gateway/,
    );
  });

  it('cannot be derived from a runtime’s ARN', () => {
    const runtime = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/tools-abcdefghij';
    expect(isGatewayAddress(runtime)).toBe(false);
  });

  it.each([{ fips: true }, { dualStack: true }])('is not guessed for %j', (endpoint) => {
    expect(() => urlOf(ARN, endpoint)).toThrow(/set AGENTCORE_AGENT_ARN to the gateway's URL/);
  });
});
