import { createHash } from 'node:crypto';
import { createCredentialsError } from '../credentials/credentials-failure.ts';

/** A bearer token and its expiry. */
export interface Token {
  readonly value: string;
  /** Milliseconds since 1970, or `undefined` if unknown. */
  readonly expiresAt: number | undefined;
}

/** The syntax of RFC 6750, limited to a length that fits into a header. */
const TOKEN = /^[\w.~+/-]{1,16000}=*$/;

/**
 * Validates an issued token. If the issuer gave no expiry, the `exp` claim of a JWT is used.
 *
 * @param whose Start of the error message.
 * @throws {AgentCoreError} `credentials`, without the token
 */
export function parseBearerToken(
  value: string,
  expiresAt: number | undefined,
  whose: string,
): Token {
  if (!TOKEN.test(value))
    throw createCredentialsError(`${whose} something that is no bearer token`);
  const { exp } = parseClaims(value);
  const end = expiresAt ?? (typeof exp === 'number' ? exp * 1000 : undefined);
  if (end !== undefined && end <= Date.now()) {
    throw createCredentialsError(
      `${whose} a token that expired at ${toIsoTime(end)}: check the clock of this machine, and sign in where the token comes from`,
    );
  }
  return { value, expiresAt: end };
}

/**
 * Returns a stable identifier for the subject of a token. Returns `undefined` for an opaque token.
 */
export function getTokenSubject({ value }: Token): string | undefined {
  const { iss, sub, client_id: client } = parseClaims(value);
  if (typeof sub !== 'string' && typeof client !== 'string') return undefined;
  const digest = createHash('sha256').update(JSON.stringify([iss, sub, client]));
  return `jwt:${digest.digest('hex')}`;
}

/**
 * Decodes the claims of a JWT without verification, which only its receiver can do. Returns no
 * claims for other tokens.
 */
function parseClaims(value: string): Readonly<Record<string, unknown>> {
  const payload = /^[\w-]+\.([\w-]+)\.[\w-]*$/.exec(value)?.[1];
  if (payload === undefined) return {};
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    return typeof claims === 'object' && claims !== null ? { ...claims } : {};
  } catch {
    return {};
  }
}

function toIsoTime(time: number): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? 'a time that is no date' : date.toISOString();
}
