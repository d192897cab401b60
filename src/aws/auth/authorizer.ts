import { withAbort } from '../../base/async.ts';
import { ExpiringValue } from '../../base/cache.ts';
import type { Environment } from '../../base/environment.ts';
import { AgentCoreError, getErrorMessage } from '../../base/errors.ts';
import type { Network } from '../../http/network.ts';
import { isSecureUrl } from '../../http/secure-url.ts';
import { createCredentialsError } from '../credentials/errors.ts';
import type { CredentialProvider } from '../credentials/provider.ts';
import { createSigV4Signer, type Signer, type SigningClock } from '../sigv4.ts';
import type { Token } from './bearer-token.ts';
import type { OAuthTokens } from './oauth.ts';
import type { AuthorizationSettings } from './settings.ts';

/** Adds authorization to requests. */
export interface Authorizer {
  readonly method: 'iam' | 'bearer' | 'none';
  /** Adds authorization headers. Throws {@link AgentCoreError} `credentials` if that fails. */
  readonly sign: Signer;
  /**
   * Gets a new token or credentials after a call was rejected. Concurrent callers share one
   * refresh.
   *
   * @param since The start of the rejected call (`performance.now()`).
   * @returns false if a retry would not help.
   */
  readonly renew: (since: number) => Promise<boolean>;
  /**
   * Called with the `Date` header of each rejection, because a wrong local clock may be the cause.
   */
  readonly learnTime?: (date: string | undefined) => void;
}

/** Signs with AWS Signature Version 4, using the time of AWS. */
export function createIamAuthorizer(
  credentials: CredentialProvider,
  region: string,
  clock: SigningClock,
): Authorizer {
  return {
    method: 'iam',
    sign: createSigV4Signer(credentials, region, 'bedrock-agentcore', clock),
    renew: credentials.renew,
    learnTime: (date) => clock.learn(date),
  };
}

/** Sends a bearer token (RFC 6750, 2.1), only by TLS or within this machine. */
export function createBearerAuthorizer(token: CachedToken): Authorizer {
  return {
    method: 'bearer',
    sign: async ({ target, headers }) => {
      const { protocol, hostname, host } = target;
      if (!isSecureUrl(new URL(`${protocol}//${host}`))) {
        throw new AgentCoreError(
          'usage',
          `Could not send the bearer token to ${hostname}: the connection is not encrypted, use an https endpoint`,
        );
      }
      return { ...headers, authorization: `Bearer ${(await token.get()).value}` };
    },
    renew: (since) => token.refresh(since),
  };
}

/** For a gateway without authorization. */
export const NO_AUTHORIZER: Authorizer = {
  method: 'none',
  sign: async ({ headers }) => ({ ...headers }),
  renew: async () => false,
};

const OF_CREDENTIALS =
  /^(ExpiredToken|UnrecognizedClient|InvalidClientTokenId|InvalidSignature|Request(Expired|InTheFuture|TimeTooSkewed))/;

/**
 * True if {@link Authorizer.renew} may resolve a rejection. Examples are an expired token, a
 * deleted key and a wrong signing time.
 *
 * @param rejection The HTTP status and the exception's name.
 */
export function canRenewalHelp(
  method: Authorizer['method'],
  { status, name }: { readonly status?: unknown; readonly name?: unknown },
): boolean {
  if (method === 'bearer') return status === 401;
  if (status !== 401 && status !== 403) return name === 'ExpiredTokenException';
  // An MCP runtime reports each error of the signature as denied access, without a name.
  return typeof name !== 'string' || OF_CREDENTIALS.test(name);
}

/**
 * Creates the bearer token source for these settings. Returns `undefined` if they need no token.
 * The token and its module are loaded on first use.
 *
 * @param resource The URL of the MCP server that receives the token.
 */
export function createTokenProvider(
  settings: AuthorizationSettings,
  resource: URL,
  {
    network,
    env,
  }: {
    readonly network: Network;
    readonly env: Environment;
  },
): CachedToken | undefined {
  switch (settings.method) {
    case 'oauth': {
      let tokens: Promise<OAuthTokens> | undefined;
      return createCachedToken(async (signal) => {
        tokens ??= import('./oauth.ts').then(
          ({ OAuthTokens: Tokens }) => new Tokens({ settings, resource, network }),
        );
        return (await tokens).get(signal);
      });
    }
    case 'token-command':
      return createCachedToken(async (signal) => {
        const { runTokenCommand } = await import('./bearer-token.ts');
        return runTokenCommand({ command: settings.command, env, signal });
      });
    default:
      return undefined;
  }
}

/** Token request timeout in milliseconds. */
const GET_TOKEN_TIMEOUT_MS = 60_000;

/** A token that is requested when needed. It throws {@link AgentCoreError} `credentials`. */
export type CachedToken = ExpiringValue<Token>;

export function createCachedToken(request: (signal: AbortSignal) => Promise<Token>): CachedToken {
  return new ExpiringValue({
    load: async () => {
      const signal = AbortSignal.timeout(GET_TOKEN_TIMEOUT_MS);
      try {
        return await withAbort(request(signal), signal);
      } catch (thrown) {
        if (thrown instanceof AgentCoreError) throw thrown;
        const reason = signal.aborted
          ? `no answer within ${GET_TOKEN_TIMEOUT_MS / 1000} s`
          : getErrorMessage(thrown).split('\n', 1)[0];
        throw createCredentialsError(`Could not get a bearer token: ${reason}. Try again`);
      }
    },
    getExpiry: ({ expiresAt }) => expiresAt,
    isSame: (one, other) => one.value === other.value,
    now: Date.now,
  });
}
