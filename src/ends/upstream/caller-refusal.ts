import type { Authorizer } from '../../aws/authorization/authorizer.ts';
import { readChallenge, type Wanted } from '../../aws/authorization/challenge.ts';
import { printable } from '../../sessions/session-words.ts';

/** Who calls whom, and how it says so. */
export interface Caller {
  readonly noun: 'runtime' | 'gateway';
  readonly method: Authorizer['method'];
  /** What the server says to a request that does not say who is calling; never rejects. */
  readonly wanted: () => Promise<Wanted['method']>;
}

/** What a refusal for who is calling means, as far as that is known. */
export interface CallerRefusal {
  /** The method that the server wants, where it is another one. */
  readonly wants?: 'iam' | 'bearer';
  readonly what: string;
  readonly todo: string;
  /** What the server said. */
  readonly detail?: string;
}

/** Reported by users: what AgentCore says to a request that is authorized in the other way. */
const MISMATCH = /authorization method mismatch/i;

const SET_BEARER =
  'set AGENTCORE_OAUTH_CLIENT_ID and AGENTCORE_OAUTH_CLIENT_SECRET, or AGENTCORE_TOKEN_COMMAND';
const SET_IAM = 'set AGENTCORE_AUTH to iam, and AWS_PROFILE to the profile to sign with';

/**
 * What a 401 or 403 means beyond its status; `undefined` for what has no more to say. Where the
 * server's own words leave open whether it takes signatures or tokens, it is asked without either.
 */
export async function callerRefusal(
  refusal: {
    readonly status: number;
    /** The exception's name. */
    readonly name: string | undefined;
    readonly words: string | undefined;
    /** Its `WWW-Authenticate`. */
    readonly challenge: string | undefined;
  },
  caller: Caller,
): Promise<CallerRefusal | undefined> {
  const { status, name, words } = refusal;
  if (status !== 401 && status !== 403) return undefined;
  const { noun, method } = caller;
  const challenge = readChallenge(refusal.challenge);
  const wants = await methodWanted(refusal, caller, challenge !== undefined);
  const mismatch = mismatchOf(noun, method, wants);
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
    // A server that repeats the token would have it repeated.
    detail: printable(detail.join(', ')).replace(/[\w.~+/-]{60,}=*/g, '[…]'),
    todo: `${isScope ? 'check AGENTCORE_OAUTH_SCOPES, and ' : ''}see to it that the issuer, the audience, the client and the scopes of the token are those that the JWT authorizer of the ${noun} allows`,
  };
}

async function methodWanted(
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
): Promise<Wanted['method']> {
  if (isChallenged) return 'bearer';
  if (MISMATCH.test(words ?? '')) return method === 'bearer' ? 'iam' : 'bearer';
  // A bearer token is refused by 401; a 403 with a name, or of a signature's, is about rights.
  if (method === 'iam' && status === 403 && name !== undefined) return 'iam';
  return wanted();
}

function mismatchOf(
  noun: Caller['noun'],
  used: Authorizer['method'],
  wanted: Wanted['method'],
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
