import { STSClient } from '@aws-sdk/client-sts';
import type { AwsCredentialIdentity } from '@smithy/types';
import type { EndpointOptions } from './endpoints.ts';
import type { createSdkRequestHandler } from './sdk-client.ts';
import type { Credentials } from './sigv4.ts';

type EndpointProvider = (parameters: {
  readonly Region: string;
  readonly UseFIPS: boolean;
  readonly UseDualStack: boolean;
  readonly UseGlobalEndpoint: boolean;
  readonly Endpoint?: string;
}) => { readonly url: URL };

/**
 * Creates an STS client with an explicit endpoint. By default, the SDK would use the profile in
 * `AWS_PROFILE` and parse the AWS files differently.
 */
export function createStsClient(options: {
  readonly region: string;
  /** Absent if the call is unsigned. */
  readonly credentials?: AwsCredentialIdentity | Credentials | undefined;
  /** Endpoint settings from the environment and the selected profile. */
  readonly sts: EndpointOptions;
  readonly requestHandler: ReturnType<typeof createSdkRequestHandler>;
}): STSClient {
  const { region, credentials, requestHandler } = options;
  const { fips, dualStack, override } = options.sts;
  const settings = {
    region,
    useFipsEndpoint: false,
    useDualstackEndpoint: false,
    requestHandler,
    ...(credentials && { credentials }),
  };
  const provider = new STSClient(settings).config.endpointProvider as unknown as EndpointProvider;
  const { url } = provider({
    Region: region,
    UseFIPS: fips,
    UseDualStack: dualStack,
    UseGlobalEndpoint: false,
    ...(override !== undefined && { Endpoint: override }),
  });
  return new STSClient({ ...settings, endpoint: url.href });
}
