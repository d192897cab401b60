import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { AgentCoreError, getErrorMessage } from '../error.ts';
import type { Network } from './network.ts';
import { createSdkRequestHandler } from './sdk-request-handler.ts';
import type { Credentials } from './signer.ts';
import { createStsClient, type StsEndpoint } from './sts.ts';

/**
 * Returns the ARN of the calling principal from STS GetCallerIdentity.
 *
 * @throws {AgentCoreError} `credentials`
 */
export async function getCallerArn(options: {
  readonly credentials: Credentials;
  readonly region: string;
  readonly network: Network;
  readonly sts: StsEndpoint;
}): Promise<string> {
  const agent = await options.network.agentForAnyHost();
  const client = createStsClient({
    credentials: options.credentials,
    region: options.region,
    sts: options.sts,
    requestHandler: createSdkRequestHandler(agent, { connect: 10_000, read: 30_000 }),
  });
  try {
    const { Arn } = await client.send(new GetCallerIdentityCommand({}));
    if (!Arn) throw new Error('the answer names no ARN');
    return Arn;
  } catch (cause) {
    throw new AgentCoreError(
      'credentials',
      `Could not ask STS who is calling, which the session mode "identity" needs: ${getErrorMessage(cause)}`,
      { cause },
    );
  } finally {
    client.destroy();
    agent.destroy();
  }
}
