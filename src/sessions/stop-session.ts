import type { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import {
  BedrockAgentCoreClient,
  BedrockAgentCoreServiceException,
  ResourceNotFoundException,
  StopRuntimeSessionCommand,
} from '@aws-sdk/client-bedrock-agentcore';
import type { RuntimeArn } from '../aws/arn.ts';
import { sdkRequestHandler } from '../aws/sdk-request-handler.ts';
import type { Credentials } from '../aws/signer.ts';

/** Milliseconds between two attempts while a session is changing: at first, and at the most. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 2_000;

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

  /**
   * Resolves once the session is stopped or was gone already; throws as the SDK's client does.
   *
   * @param ids The ids by which the service may know the session, the likelier one first.
   * @param signal Also bounds the wait for a session that is starting or stopping just now.
   */
  async stop(ids: readonly string[], signal: AbortSignal): Promise<{ readonly wasGone: boolean }> {
    for (const id of ids) {
      if (await this.#stopById(id, signal)) return { wasGone: false };
    }
    return { wasGone: true };
  }

  /** @returns false where no session goes by this id: gone, or known by its other one. */
  async #stopById(runtimeSessionId: string, signal: AbortSignal): Promise<boolean> {
    this.#client ??= this.#connect();
    const { runtime, qualifier } = this.#options;
    const command = new StopRuntimeSessionCommand({
      agentRuntimeArn: runtime.arn,
      runtimeSessionId,
      qualifier,
    });
    for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      try {
        await this.#client.send(command, { abortSignal: signal });
        return true;
      } catch (thrown) {
        if (thrown instanceof ResourceNotFoundException) return false;
        if (!isConflict(thrown)) throw thrown;
        await delay(pause * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {
          throw thrown;
        });
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

/** The session is in the middle of something else, which passes. */
function isConflict(thrown: unknown): boolean {
  return (
    thrown instanceof BedrockAgentCoreServiceException && thrown.$metadata.httpStatusCode === 409
  );
}
