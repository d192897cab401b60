import { STSClient } from '@aws-sdk/client-sts';
import type { AwsCredentialIdentity } from '@smithy/types';
import type { EndpointOptions } from './endpoints.ts';
import type { sdkRequestHandler } from './sdk-request-handler.ts';
import type { Credentials } from './signer.ts';

/** Where STS is looked for, by the environment and the profile that is used. */
export type StsEndpoint = EndpointOptions;

type EndpointProvider = (parameters: {
  readonly Region: string;
  readonly UseFIPS: boolean;
  readonly UseDualStack: boolean;
  readonly UseGlobalEndpoint: boolean;
  readonly Endpoint?: string;
}) => { readonly url: URL };

/**
 * A client of STS. The endpoint is always given: left to itself, the SDK takes the one of the profile
 * that `AWS_PROFILE` names, and reads the AWS files in its own way.
 */
export function createStsClient(options: {
  readonly region: string;
  /** Absent for calls that are not signed. */
  readonly credentials?: AwsCredentialIdentity | Credentials | undefined;
  readonly sts: StsEndpoint;
  readonly requestHandler: ReturnType<typeof sdkRequestHandler>;
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
