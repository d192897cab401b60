import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { AgentCoreError, messageOf } from '../error.ts';
import type { Network } from './network.ts';
import { sdkRequestHandler } from './sdk-request-handler.ts';
import type { Credentials } from './signer.ts';

/**
 * The ARN of the principal that credentials belong to, from STS GetCallerIdentity.
 *
 * @throws {AgentCoreError} `credentials`
 */
export async function callerArn(options: {
  readonly credentials: Credentials;
  readonly region: string;
  readonly network: Network;
  /** STS's base URL where the profile that is used names one; by default, as the SDK finds it. */
  readonly endpoint?: string | undefined;
}): Promise<string> {
  const agent = await options.network.agentForAnyHost();
  const client = new STSClient({
    credentials: options.credentials,
    region: options.region,
    ...(options.endpoint && { endpoint: options.endpoint }),
    requestHandler: sdkRequestHandler(agent, { connect: 10_000, read: 30_000 }),
  });
  try {
    const { Arn } = await client.send(new GetCallerIdentityCommand({}));
    if (!Arn) throw new Error('the answer names no ARN');
    return Arn;
  } catch (cause) {
    throw new AgentCoreError(
      'credentials',
      `Could not ask STS who is calling, which the session mode "identity" needs: ${messageOf(cause)}`,
      { cause },
    );
  } finally {
    client.destroy();
    agent.destroy();
  }
}
