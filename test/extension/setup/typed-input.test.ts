import { describe, expect, it } from 'vitest';
import {
  arnVerdict,
  endpointVerdict,
  externalIdVerdict,
  nameVerdict,
  regionVerdict,
  roleArnsVerdict,
  tokenUrlVerdict,
} from '../../../src/extension/setup/typed-input.ts';

const RUNTIME = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/weather-Ab12Cd34Ef';

describe('typed text', () => {
  it.each([
    RUNTIME,
    `${RUNTIME}/runtime-endpoint/prod`,
    'arn:aws-cn:bedrock-agentcore:cn-north-1:123456789012:runtime/w-Ab12Cd34Ef',
    'arn:aws:bedrock-agentcore:eu-west-1:123456789012:gateway/tools-ab12cd34ef',
  ])('may be %s', (arn) => {
    expect(arnVerdict(arn)).toBeUndefined();
  });

  it('is rejected with the invalid part of an ARN', () => {
    expect(arnVerdict('arn:aws:lambda:eu-west-1:123456789012:function:f')).toContain('"lambda"');
    expect(arnVerdict(RUNTIME.replace('123456789012', '12'))).toContain('twelve digits');
  });

  it('may be one role, or several roles to assume in order', () => {
    const role = 'arn:aws:iam::123456789012:role/Caller';
    expect(roleArnsVerdict(role)).toBeUndefined();
    expect(roleArnsVerdict(`${role}, ${role}2`)).toBeUndefined();
    expect(roleArnsVerdict(`${role}, Caller`)).toContain('Caller');
    expect(roleArnsVerdict('')).toBeDefined();
  });

  it('may be a name that differs from other names in more than case', () => {
    expect(nameVerdict('weather', ['tools'])).toBeUndefined();
    expect(nameVerdict('Weather', ['weather'])).toContain('Weather');
    expect(nameVerdict('', [])).toBeDefined();
    expect(nameVerdict('x'.repeat(65), [])).toBeDefined();
  });

  it('may be empty if the value is optional', () => {
    expect(externalIdVerdict('')).toBeUndefined();
    expect(externalIdVerdict('a b')).toBeDefined();
    expect(tokenUrlVerdict('')).toBeUndefined();
    expect(tokenUrlVerdict('https://id.example/token')).toBeUndefined();
    expect(tokenUrlVerdict('http://id.example/token')).toBeDefined();
    expect(tokenUrlVerdict('id.example/token')).toBeDefined();
    expect(endpointVerdict('1st')).toBeDefined();
    expect(regionVerdict('Ireland')).toBeDefined();
  });
});
