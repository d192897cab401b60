import { fromNodeProviderChain, fromTemporaryCredentials } from '@aws-sdk/credential-providers';
import type { AwsCredentialIdentity } from '@smithy/types';
import type { CredentialsOptions } from './credentials-options.ts';
import { sdkRequestHandler } from './sdk-request-handler.ts';

/**
 * The SDK's default chain, with the role on top where one is to be assumed. All clients inside it
 * take this machine's way to the network.
 */
export async function credentialChain(
  options: CredentialsOptions,
): Promise<() => Promise<AwsCredentialIdentity>> {
  const { profile, region, assumeRole, network } = options;
  const agent = await network.agentForAnyHost();
  const clientConfig = {
    region,
    requestHandler: sdkRequestHandler(agent, { connect: 10_000, read: 30_000 }),
  };
  // Whoever asks keeps what it gets: a second time means that the files may have changed.
  const chain = fromNodeProviderChain({
    ...(profile && { profile }),
    clientConfig,
    ignoreCache: true,
  });
  const freshly = () => chain({ forceRefresh: true } as never);
  if (!assumeRole) return freshly;
  return fromTemporaryCredentials({
    params: { RoleArn: assumeRole.arn, RoleSessionName: assumeRole.sessionName },
    masterCredentials: freshly,
    clientConfig,
  });
}
