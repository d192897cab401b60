import type { Authorizer } from '../../aws/authorization/authorizer.ts';
import { type AuthProbeResult, readChallenge } from '../../aws/authorization/challenge.ts';
import { sanitizeForTerminal } from '../../sessions/session-words.ts';

/** The kind of server and the caller's authorization method. */
export interface Caller {
  readonly noun: 'runtime' | 'gateway';
  readonly method: Authorizer['method'];
  /**
   * The authorization method requested by the server from an unauthorized caller. Never rejects.
   */
  readonly wanted: () => Promise<AuthProbeResult['method']>;
}

/** The explanation of an authorization failure. */
interface CallerRefusal {
  /** The method required by the server, if it differs from the caller's. */
  readonly wants?: 'iam' | 'bearer';
  readonly what: string;
  readonly todo: string;
  /** The server's message. */
  readonly detail?: string;
}

/** AgentCore's message for a request with the wrong authorization method, as reported by users. */
const MISMATCH = /authorization method mismatch/i;

const SET_BEARER =
  'set AGENTCORE_OAUTH_CLIENT_ID and AGENTCORE_OAUTH_CLIENT_SECRET, or AGENTCORE_TOKEN_COMMAND';

const SET_IAM = 'set AGENTCORE_AUTH to iam, and AWS_PROFILE to the profile to sign with';

/**
 * Explains a 401 or 403 beyond its status; `undefined` if there is nothing to add. If the reply
 * does not show whether the server takes signatures or tokens, the proxy sends an unauthorized
 * request to find out.
 */
export async function describeAuthFailure(
  refusal: {
    readonly status: number;
    /** Name of the exception. */
    readonly name: string | undefined;
    readonly words: string | undefined;
    /** The `WWW-Authenticate` header. */
    readonly challenge: string | undefined;
  },
  caller: Caller,
): Promise<CallerRefusal | undefined> {
  const { status, name, words } = refusal;
  if (status !== 401 && status !== 403) return undefined;
  const { noun, method } = caller;
  const challenge = readChallenge(refusal.challenge);
  const wants = await detectRequiredMethod(refusal, caller, challenge !== undefined);
  const mismatch = describeMismatch(noun, method, wants);
  if (mismatch) return mismatch;
  if (method !== 'bearer') return undefined;
  const said = challenge && (challenge.errorDescription ?? challenge.error);
  const detail = [
    challenge?.errorDescription && challenge.error,
    said ?? words ?? name,
    challenge?.scope && `it asks for the scope "${challenge.scope}"`,
  ].filter(Boolean);
  const isScope = challenge?.error === 'insufficient_scope' || challenge?.scope !== undefined;
  return {
    what: `The ${noun} did not accept the bearer token`,
    // Mask long tokens: a server may repeat the bearer token in its message.
    detail: sanitizeForTerminal(detail.join(', ')).replace(/[\w.~+/-]{60,}=*/g, '[…]'),
    todo: `${isScope ? 'check AGENTCORE_OAUTH_SCOPES, and ' : ''}see to it that the issuer, the audience, the client and the scopes of the token are those that the JWT authorizer of the ${noun} allows`,
  };
}

async function detectRequiredMethod(
  {
    status,
    name,
    words,
  }: {
    readonly status: number;
    readonly name: string | undefined;
    readonly words: string | undefined;
  },
  { method, wanted }: Caller,
  isChallenged: boolean,
): Promise<AuthProbeResult['method']> {
  if (isChallenged) return 'bearer';
  if (MISMATCH.test(words ?? '')) return method === 'bearer' ? 'iam' : 'bearer';
  // Bearer tokens are rejected with 401. A 403 with an exception name concerns permissions of a
  // signed request.
  if (method === 'iam' && status === 403 && name !== undefined) return 'iam';
  return wanted();
}

function describeMismatch(
  noun: Caller['noun'],
  used: Authorizer['method'],
  wanted: AuthProbeResult['method'],
): CallerRefusal | undefined {
  if (wanted === 'bearer' && used !== 'bearer') {
    const instead = used === 'iam' ? ', not IAM signatures' : '';
    return {
      wants: 'bearer',
      what: `The ${noun} takes JWT bearer tokens${instead}`,
      todo: SET_BEARER,
    };
  }
  if (wanted === 'iam' && used !== 'iam') {
    const instead = used === 'bearer' ? ', not bearer tokens' : '';
    return { wants: 'iam', what: `The ${noun} takes IAM signatures${instead}`, todo: SET_IAM };
  }
  return undefined;
}
