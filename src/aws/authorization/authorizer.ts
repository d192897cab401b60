import { AgentCoreError } from '../../error.ts';
import type { AwsClock } from '../aws-clock.ts';
import type { FoundCredentials } from '../credentials/credentials.ts';
import { isPrivate } from '../private-url.ts';
import { type Signer, sigV4Signer } from '../signer.ts';
import type { KeptToken } from './kept-token.ts';

/** What makes requests say who is calling. */
export interface Authorizer {
  readonly method: 'iam' | 'bearer' | 'none';
  /** Adds it to a request's headers; throws {@link AgentCoreError} `credentials` where it cannot. */
  readonly sign: Signer;
  /**
   * Gets another proof after a call was refused for the one it carried, once for all such callers.
   *
   * @param since The moment (`performance.now()`) at which the refused call began.
   * @returns false where nothing is gained by another attempt.
   */
  readonly renew: (since: number) => Promise<boolean>;
  /** Told of the `Date` of each refusal, which may have come of this machine's time being wrong. */
  readonly learnTime?: (date: string | undefined) => void;
}

/** Signs with AWS Signature Version 4, by the time of AWS. */
export function iamAuthorizer(
  credentials: FoundCredentials,
  region: string,
  clock: AwsClock,
): Authorizer {
  return {
    method: 'iam',
    sign: sigV4Signer(credentials, region, 'bedrock-agentcore', clock),
    renew: credentials.renew,
    learnTime: (date) => clock.learn(date),
  };
}

/** Sends a bearer token along (RFC 6750, 2.1), by TLS or within this machine alone. */
export function bearerAuthorizer(token: KeptToken): Authorizer {
  return {
    method: 'bearer',
    sign: async ({ target, headers }) => {
      const { protocol, hostname, host } = target;
      if (!isPrivate(new URL(`${protocol}//${host}`))) {
        throw new AgentCoreError(
          'usage',
          `A bearer token is not sent to ${hostname} in the clear: use an https endpoint`,
        );
      }
      return { ...headers, authorization: `Bearer ${(await token.get()).value}` };
    },
    renew: (since) => token.renew(since),
  };
}

/** For a gateway that lets everybody in. */
export const NO_AUTHORIZER: Authorizer = {
  method: 'none',
  sign: async ({ headers }) => ({ ...headers }),
  renew: async () => false,
};
