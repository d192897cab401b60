import type { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import {
  BedrockAgentCoreClient,
  BedrockAgentCoreServiceException,
  ResourceNotFoundException,
  StopRuntimeSessionCommand,
} from '@aws-sdk/client-bedrock-agentcore';
import type { RequestSigner } from '@smithy/types';
import type { RuntimeArn } from '../aws/arn.ts';
import { bearerAuthorizer } from '../aws/authorization/authorizer.ts';
import type { KeptToken } from '../aws/authorization/kept-token.ts';
import { targetOf } from '../aws/post.ts';
import { sdkRequestHandler } from '../aws/sdk-request-handler.ts';
import type { Credentials } from '../aws/signer.ts';
import { AgentCoreError, messageOf } from '../error.ts';

/** Milliseconds between two attempts while a session is changing: at first, and at the most. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 2_000;

export interface StopOptions {
  readonly runtime: RuntimeArn;
  readonly qualifier: string | undefined;
  readonly endpoint: URL;
  readonly credentials: Credentials;
  /** What its invokes carry, where the runtime takes bearer tokens. */
  readonly token?: KeptToken | undefined;
  /** The invokes' own: its idle connections are at hand. */
  readonly agent: Agent;
}

/** Stops runtime sessions, so that their microVMs cost nothing any more. */
export class SessionStopper {
  readonly #options: StopOptions;
  readonly #clients: { iam?: BedrockAgentCoreClient; bearer?: BedrockAgentCoreClient } = {};

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
  async #stopById(id: string, signal: AbortSignal): Promise<boolean> {
    const { token } = this.#options;
    if (!token) return this.#stopAs('iam', id, signal);
    const began = performance.now();
    try {
      return await this.#stopAs('bearer', id, signal).catch(async (thrown) => {
        if (statusOf(thrown) !== 401 || !(await token.renew(began))) throw thrown;
        return this.#stopAs('bearer', id, signal);
      });
    } catch (refused) {
      if (!isOfCaller(refused)) throw refused;
      // Whether a token stops a session, or only IAM credentials do, is documented nowhere.
      return this.#stopAs('iam', id, signal).catch((thrown) => {
        throw neither(refused, thrown);
      });
    }
  }

  async #stopAs(
    method: 'iam' | 'bearer',
    runtimeSessionId: string,
    signal: AbortSignal,
  ): Promise<boolean> {
    this.#clients[method] ??= this.#connect(method);
    const client = this.#clients[method];
    const { runtime, qualifier } = this.#options;
    const command = new StopRuntimeSessionCommand({
      agentRuntimeArn: runtime.arn,
      runtimeSessionId,
      qualifier,
    });
    for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      try {
        await client.send(command, { abortSignal: signal });
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

  #connect(method: 'iam' | 'bearer'): BedrockAgentCoreClient {
    const { endpoint, runtime, credentials, token, agent } = this.#options;
    return new BedrockAgentCoreClient({
      endpoint: endpoint.href,
      region: runtime.region,
      ...(method === 'bearer' && token
        ? { credentials: NOBODY, signer: bearerSigner(token, endpoint) }
        : { credentials }),
      requestHandler: sdkRequestHandler(agent, { connect: 2_000, read: 3_000 }),
    });
  }
}

/** The SDK's client knows no bearer tokens, but lets others sign. */
function bearerSigner(token: KeptToken, endpoint: URL): RequestSigner {
  const { sign } = bearerAuthorizer(token);
  const target = targetOf(endpoint);
  return {
    async sign(request) {
      const headers = await sign({ target, headers: request.headers, body: Buffer.alloc(0) });
      return { ...request, headers };
    },
  };
}

/** It asks for credentials before it lets others sign. */
const NOBODY = { accessKeyId: '', secretAccessKey: '' };

/** Refused for who is calling, or never sent for want of a token. */
function isOfCaller(thrown: unknown): boolean {
  const status = statusOf(thrown);
  if (status !== undefined) return status === 401 || status === 403;
  return thrown instanceof AgentCoreError && thrown.code === 'credentials';
}

function neither(byToken: unknown, byCredentials: unknown): AgentCoreError {
  const status = statusOf(byToken);
  return new AgentCoreError(
    'upstream',
    `It is stopped neither with a bearer token (${status === undefined ? messageOf(byToken) : `HTTP ${status}`}) nor with IAM credentials (${messageOf(byCredentials)}): see to it that the runtime's JWT authorizer allows the token, or set AWS_PROFILE to a profile that may call bedrock-agentcore:StopRuntimeSession`,
    { cause: byToken },
  );
}

function statusOf(thrown: unknown): number | undefined {
  return thrown instanceof BedrockAgentCoreServiceException
    ? thrown.$metadata.httpStatusCode
    : undefined;
}

/** The session is in the middle of something else, which passes. */
function isConflict(thrown: unknown): boolean {
  return statusOf(thrown) === 409;
}
