import { AgentCoreError, getErrorMessage } from '../../base/errors.ts';
import { describeClockSkew } from '../sigv4.ts';

/** Maximum characters of a third-party message in an error. */
const MAX_QUOTE_LENGTH = 400;

/**
 * Creates an error with the code `credentials`.
 *
 * @param login The profile for which a new login would help, if any.
 */
export function createCredentialsError(
  sentence: string,
  details: {
    readonly cause?: unknown;
    readonly login?: string | undefined;
    readonly statements?: readonly object[];
  } = {},
): AgentCoreError {
  const { cause, login, statements } = details;
  const name = cause instanceof Error ? cause.name : undefined;
  return new AgentCoreError('credentials', sentence, {
    cause,
    data: {
      ...(name !== undefined && { name }),
      ...(login !== undefined && { login }),
      ...(statements && { statements }),
    },
  });
}

/**
 * Returns only the first line of the error message. Further lines may contain the signed request,
 * including the session token.
 */
export function getErrorText(thrown: unknown): string {
  const words = getErrorMessage(thrown).split('\n', 1)[0]?.trim() ?? '';
  return (words || (thrown instanceof Error ? thrown.name : '')).slice(0, MAX_QUOTE_LENGTH);
}

/** Returns the profile that needs a new login, if a missing login caused the error. */
export function findLogin(thrown: unknown): string | undefined {
  const login = thrown instanceof AgentCoreError ? thrown.data?.login : undefined;
  return typeof login === 'string' ? login : undefined;
}

/** Quotes a name for a shell if necessary. */
export function quoteForShell(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * Describes a rejection caused by the local clock or the access key, for any AWS operation. Returns
 * `undefined` for other errors.
 */
export function toSignatureError(
  cause: unknown,
  service: string,
  whose: string,
  now = Date.now(),
): AgentCoreError | undefined {
  const { name } = cause as Error;
  const words = getErrorText(cause);
  const isOfTime =
    /RequestTimeTooSkewed|RequestExpired/.test(name) || /Signature (expired|not yet)/i.test(words);
  if (isOfTime || /SignatureDoesNotMatch|InvalidSignature/.test(name)) {
    if (/scoped to/i.test(words)) {
      return createCredentialsError(
        `${service} rejected the region of the signature: check AWS_REGION and the region of the profile (${words})`,
        { cause },
      );
    }
    const skew = describeClockSkew(getResponseDate(cause), now);
    if (skew)
      return createCredentialsError(`${service} rejected the signature: ${skew}`, { cause });
    if (isOfTime) {
      return createCredentialsError(
        `${service} rejected the time of the signature: set the clock of this machine (${words})`,
        { cause },
      );
    }
    return createCredentialsError(
      `${service} rejected the signature: the secret access key ${whose} does not belong to its access key id`,
      { cause },
    );
  }
  if (/InvalidClientTokenId|UnrecognizedClient/.test(name)) {
    return createCredentialsError(
      `AWS rejected the access key ${whose}: check that it exists, is active and belongs to this partition (${words})`,
      { cause },
    );
  }
  if (/ExpiredToken/.test(name)) {
    return createCredentialsError(
      `The credentials ${whose} have expired: get new ones from their source (${words})`,
      { cause },
    );
  }
  return undefined;
}

function getResponseDate(cause: unknown): string | undefined {
  const { $response } = cause as { $response?: { headers?: Record<string, string> } };
  return $response?.headers?.date;
}
