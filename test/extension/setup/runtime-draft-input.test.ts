import { describe, expect, it } from 'vitest';
import {
  validateArn,
  validateEndpoint,
  validateExternalId,
  validateName,
  validateRegion,
  validateRoleArns,
  validateTokenUrl,
} from '../../../src/extension/setup/runtime-draft.ts';

const RUNTIME = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/weather-Ab12Cd34Ef';

describe('typed text', () => {
  it.each([
    RUNTIME,
    `${RUNTIME}/runtime-endpoint/prod`,
    'arn:aws-cn:bedrock-agentcore:cn-north-1:123456789012:runtime/w-Ab12Cd34Ef',
    'arn:aws:bedrock-agentcore:eu-west-1:123456789012:gateway/tools-ab12cd34ef',
  ])('may be %s', (arn) => {
    expect(validateArn(arn)).toBeUndefined();
  });

  it('is rejected with the invalid part of an ARN', () => {
    expect(validateArn('arn:aws:lambda:eu-west-1:123456789012:function:f')).toContain('"lambda"');
    expect(validateArn(RUNTIME.replace('123456789012', '12'))).toContain('twelve digits');
  });

  it('may be one role, or several roles to assume in order', () => {
    const role = 'arn:aws:iam::123456789012:role/Caller';
    expect(validateRoleArns(role)).toBeUndefined();
    expect(validateRoleArns(`${role}, ${role}2`)).toBeUndefined();
    expect(validateRoleArns(`${role}, Caller`)).toContain('Caller');
    expect(validateRoleArns('')).toBeDefined();
  });

  it('may be a name that differs from other names in more than case', () => {
    expect(validateName('weather', ['tools'])).toBeUndefined();
    expect(validateName('Weather', ['weather'])).toContain('Weather');
    expect(validateName('', [])).toBeDefined();
    expect(validateName('x'.repeat(65), [])).toBeDefined();
  });

  it('may be empty if the value is optional', () => {
    expect(validateExternalId('')).toBeUndefined();
    expect(validateExternalId('a b')).toBeDefined();
    expect(validateTokenUrl('')).toBeUndefined();
    expect(validateTokenUrl('https://id.example/token')).toBeUndefined();
    expect(validateTokenUrl('http://id.example/token')).toBeDefined();
    expect(validateTokenUrl('id.example/token')).toBeDefined();
    expect(validateEndpoint('1st')).toBeDefined();
    expect(validateRegion('Ireland')).toBeDefined();
  });
});
