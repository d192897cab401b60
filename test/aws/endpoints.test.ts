import { BedrockAgentCoreClient } from '@aws-sdk/client-bedrock-agentcore';
import { describe, expect, it } from 'vitest';
import { getDataPlaneUrl } from '../../src/aws/endpoints.ts';

const NO_OVERRIDE = undefined;

async function sdkUrl(region: string, fips: boolean, dualStack: boolean): Promise<string> {
  const client = new BedrockAgentCoreClient({
    region,
    useFipsEndpoint: fips,
    useDualstackEndpoint: dualStack,
  });
  const { url } = client.config.endpointProvider({
    Region: region,
    UseFIPS: fips,
    UseDualStack: dualStack,
  } as never);
  return url.href;
}

describe('the data plane’s URL', () => {
  it.each([
    ['aws', 'us-east-1'],
    ['aws', 'eu-central-1'],
    ['aws-cn', 'cn-north-1'],
    ['aws-us-gov', 'us-gov-west-1'],
  ] as const)('is the one of the AWS SDK in %s, %s', async (partition, region) => {
    for (const fips of [false, true]) {
      for (const dualStack of [false, true]) {
        const url = getDataPlaneUrl(
          { partition, region },
          { fips, dualStack, override: NO_OVERRIDE },
        );
        expect(url.href).toBe(await sdkUrl(region, fips, dualStack));
      }
    }
  });

  it('is replaced by an override, including its path', () => {
    const options = { fips: false, dualStack: false, override: 'http://localhost:4566/base/' };
    expect(getDataPlaneUrl({ partition: 'aws', region: 'us-east-1' }, options).href).toBe(
      options.override,
    );
  });

  it.each([
    [{ fips: true, dualStack: false, override: 'http://x' }, /FIPS/],
    [{ fips: false, dualStack: true, override: 'http://x' }, /dual-stack/],
    [{ fips: false, dualStack: false, override: 'ftp://x' }, /not an http or https URL/],
  ])('rejects %o', (options, sentence) => {
    expect(() => getDataPlaneUrl({ partition: 'aws', region: 'us-east-1' }, options)).toThrow(
      sentence,
    );
  });
});
