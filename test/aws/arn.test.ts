import { describe, expect, it } from 'vitest';
import { isInvocationsUrl, parseRuntimeArn } from '../../src/aws/arn.ts';

const ARN = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/my_agent-AbCdEf1234';

describe('a runtime ARN', () => {
  it.each(['aws', 'aws-cn', 'aws-us-gov'])('accepts the partition %s', (partition) => {
    const region = { aws: 'us-east-1', 'aws-cn': 'cn-north-1', 'aws-us-gov': 'us-gov-west-1' }[
      partition
    ] as string;
    const arn = `arn:${partition}:bedrock-agentcore:${region}:123456789012:runtime/a-1234567890`;
    expect(parseRuntimeArn(arn)).toEqual({
      arn,
      partition,
      region,
      account: '123456789012',
      runtimeId: 'a-1234567890',
      endpoint: undefined,
    });
  });

  it('may be an endpoint ARN, which contains the runtime and its endpoint', () => {
    expect(parseRuntimeArn(` ${ARN}/runtime-endpoint/PROD\n`)).toMatchObject({
      arn: ARN,
      endpoint: 'PROD',
    });
  });

  it.each([
    ['', /does not begin/],
    ['my-runtime', /does not begin/],
    [ARN.replace('arn:aws:', 'arn:azure:'), /partition "azure"/],
    [ARN.replace('bedrock-agentcore', 's3'), /service is "s3"/],
    [ARN.replace('eu-west-1', 'europe'), /no region in "europe"/],
    [ARN.replace('123456789012', '1234'), /twelve digits/],
    [ARN.replace('runtime/', 'gateway/'), /not "runtime/],
    [`${ARN}/runtime-endpoint/`, /characters that none can have/],
    [`${ARN} --flag`, /characters that none can have/],
  ])('is rejected with an error that names the mistake: %s', (text, sentence) => {
    expect(() => parseRuntimeArn(text)).toThrow(sentence);
  });
});

describe('a runtime’s invocation URL', () => {
  const encoded = encodeURIComponent(ARN);
  const aws = 'https://bedrock-agentcore.eu-west-1.amazonaws.com';

  it.each<[string, string, object]>([
    ['of AWS', `${aws}/runtimes/${encoded}/invocations?qualifier=PROD`, { endpoint: 'PROD' }],
    ['with the ARN as it is', `${aws}/runtimes/${ARN}/invocations`, { endpoint: undefined }],
    [
      'of an endpoint’s ARN',
      `${aws}/runtimes/${encodeURIComponent(`${ARN}/runtime-endpoint/PROD`)}/invocations`,
      { endpoint: 'PROD' },
    ],
    [
      'with the id and the account',
      `${aws}/runtimes/my_agent-AbCdEf1234/invocations?accountId=123456789012`,
      { endpoint: undefined },
    ],
    [
      'of this machine',
      `http://127.0.0.1:8787/runtimes/${encoded}/invocations?qualifier=DEFAULT`,
      { endpoint: 'DEFAULT', dataPlane: 'http://127.0.0.1:8787/' },
    ],
    [
      'of another host, below a path',
      `https://proxy.example.com/agentcore/runtimes/${encoded}/invocations/`,
      { dataPlane: 'https://proxy.example.com/agentcore' },
    ],
    [
      'of AWS by FIPS',
      `https://bedrock-agentcore-fips.eu-west-1.amazonaws.com/runtimes/${encoded}/invocations`,
      { dataPlane: 'https://bedrock-agentcore-fips.eu-west-1.amazonaws.com/' },
    ],
  ])('identifies the runtime: %s', (_, url, facts) => {
    const runtime = parseRuntimeArn(` ${url} `);
    expect(runtime).toMatchObject({ arn: ARN, region: 'eu-west-1', ...facts });
    if (!('dataPlane' in facts)) expect(runtime.dataPlane).toBeUndefined();
    expect(isInvocationsUrl(url)).toBe(true);
  });

  it.each([
    `http://example.com/runtimes/${encoded}/invocations`,
    `https://user:secret@example.com/runtimes/${encoded}/invocations`,
  ])(
    'is rejected, without its secrets in the error, if others could read the traffic: %s',
    (url) => {
      expect(() => parseRuntimeArn(url)).toThrow(/Could not use the runtime's URL at example\.com/);
      expect(() => parseRuntimeArn(url)).not.toThrow(/secret/);
    },
  );
});

it('accepts a percent-encoded ARN', () => {
  expect(parseRuntimeArn(encodeURIComponent(ARN))).toMatchObject({ arn: ARN });
});
