import { BedrockAgentCoreControlClient } from '@aws-sdk/client-bedrock-agentcore-control';
import { describe, expect, it } from 'vitest';
import { getControlPlaneUrl } from '../../src/aws/sdk-client.ts';

function sdkUrl(region: string, fips: boolean, dualStack: boolean): string {
  const client = new BedrockAgentCoreControlClient({ region });
  const { url } = client.config.endpointProvider({
    Region: region,
    UseFIPS: fips,
    UseDualStack: dualStack,
  } as never);
  return url.href;
}

describe('the control plane’s URL', () => {
  it.each([
    ['aws', 'us-east-1'],
    ['aws-cn', 'cn-north-1'],
    ['aws-us-gov', 'us-gov-west-1'],
  ] as const)('is the one of the AWS SDK in %s, %s', (partition, region) => {
    for (const fips of [false, true]) {
      for (const dualStack of [false, true]) {
        const options = { fips, dualStack, override: undefined };
        const url = getControlPlaneUrl({ partition, region }, options);
        expect(url.href).toBe(sdkUrl(region, fips, dualStack));
      }
    }
  });

  it('is replaced by an override', () => {
    const options = { fips: false, dualStack: false, override: 'http://bedrock-agentcore:4566/' };
    expect(getControlPlaneUrl({ partition: 'aws', region: 'us-east-1' }, options).href).toBe(
      options.override,
    );
  });
});
