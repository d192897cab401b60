import { createHash } from 'node:crypto';
import { credentialsFailure } from '../credentials/credentials-failure.ts';

/** A bearer token, and until when it is good. */
export interface Token {
  readonly value: string;
  /** Milliseconds since 1970; `undefined` where nothing tells. */
  readonly expiresAt: number | undefined;
}

/** What RFC 6750 lets a token consist of, and no more of it than a header takes. */
const TOKEN = /^[\w.~+/-]{1,16000}=*$/;

/**
 * A token as it was issued. Where its issuer did not say how long it is good, a JWT does.
 *
 * @param whose Begins the sentence that says what is wrong with it.
 * @throws {AgentCoreError} `credentials`, without the token
 */
export function makeToken(value: string, expiresAt: number | undefined, whose: string): Token {
  if (!TOKEN.test(value)) throw credentialsFailure(`${whose} something that is no bearer token`);
  const { exp } = claimsOf(value);
  const end = expiresAt ?? (typeof exp === 'number' ? exp * 1000 : undefined);
  if (end !== undefined && end <= Date.now()) {
    throw credentialsFailure(
      `${whose} a token that expired at ${momentOf(end)}: check the clock of this machine, and sign in where the token comes from`,
    );
  }
  return { value, expiresAt: end };
}

/**
 * A name for whoever a token was issued to, the same for all of their tokens; `undefined` for one
 * that tells nobody but its issuer.
 */
export function holderOf({ value }: Token): string | undefined {
  const { iss, sub, client_id: client } = claimsOf(value);
  if (typeof sub !== 'string' && typeof client !== 'string') return undefined;
  const digest = createHash('sha256').update(JSON.stringify([iss, sub, client]));
  return `jwt:${digest.digest('hex')}`;
}

/** What a JWT says, which only its receiver can verify; nothing of other tokens. */
function claimsOf(value: string): Readonly<Record<string, unknown>> {
  const payload = /^[\w-]+\.([\w-]+)\.[\w-]*$/.exec(value)?.[1];
  if (payload === undefined) return {};
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    return typeof claims === 'object' && claims !== null ? { ...claims } : {};
  } catch {
    return {};
  }
}

function momentOf(time: number): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? 'a time that is no date' : date.toISOString();
}
