import { describe, expect, it } from 'vitest';
import { parseRuntimeArn } from '../../src/aws/arn.ts';

const ARN = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/my_agent-AbCdEf1234';

describe('a runtime’s ARN', () => {
  it.each(['aws', 'aws-cn', 'aws-us-gov'])('may be of the partition %s', (partition) => {
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

  it('of an endpoint is its runtime’s with the endpoint to invoke', () => {
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
  ])('that is wrong is named by its fault: %s', (text, sentence) => {
    expect(() => parseRuntimeArn(text)).toThrow(sentence);
  });
});
