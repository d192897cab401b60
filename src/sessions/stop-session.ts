import type { Agent } from 'node:http';
import {
  BedrockAgentCoreClient,
  ResourceNotFoundException,
  StopRuntimeSessionCommand,
} from '@aws-sdk/client-bedrock-agentcore';
import type { RuntimeArn } from '../aws/arn.ts';
import { sdkRequestHandler } from '../aws/sdk-request-handler.ts';
import type { Credentials } from '../aws/signer.ts';
import type { RuntimeSession } from './runtime-session.ts';

export interface StopOptions {
  readonly runtime: RuntimeArn;
  readonly qualifier: string | undefined;
  readonly endpoint: URL;
  readonly credentials: Credentials;
  /** The invokes' own: its idle connections are at hand. */
  readonly agent: Agent;
}

/** Stops runtime sessions, so that their microVMs cost nothing any more. */
export class SessionStopper {
  readonly #options: StopOptions;
  #client: BedrockAgentCoreClient | undefined;

  constructor(options: StopOptions) {
    this.#options = options;
  }

  /** Resolves once the session is stopped or was gone already; throws as the SDK's client does. */
  async stop(session: RuntimeSession, signal: AbortSignal): Promise<void> {
    this.#client ??= this.#connect();
    const client = this.#client;
    for (const runtimeSessionId of session.stopIds) {
      const command = new StopRuntimeSessionCommand({
        agentRuntimeArn: this.#options.runtime.arn,
        runtimeSessionId,
        qualifier: this.#options.qualifier,
      });
      try {
        await client.send(command, { abortSignal: signal });
        return;
      } catch (thrown) {
        // Gone, or known by its other id: which one the service wants is not documented.
        if (!(thrown instanceof ResourceNotFoundException)) throw thrown;
      }
    }
  }

  #connect(): BedrockAgentCoreClient {
    const { endpoint, runtime, credentials, agent } = this.#options;
    return new BedrockAgentCoreClient({
      endpoint: endpoint.href,
      region: runtime.region,
      credentials,
      requestHandler: sdkRequestHandler(agent, { connect: 2_000, read: 3_000 }),
    });
  }
}
