import { AgentCoreError, messageOf } from '../../error.ts';
import { skewSentence } from '../clock-skew.ts';

/** Characters of somebody else's words that a sentence repeats. */
const LONGEST_QUOTE = 400;

/** @param login The profile that a new login would help; absent where it would not. */
export function credentialsFailure(
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
 * The first line of what was thrown. Further ones may repeat what was signed, the session token
 * included.
 */
export function wordsOf(thrown: unknown): string {
  const words = messageOf(thrown).split('\n', 1)[0]?.trim() ?? '';
  return (words || (thrown instanceof Error ? thrown.name : '')).slice(0, LONGEST_QUOTE);
}

/** The profile that a new login would help, if that is what is missing. */
export function loginOf(thrown: unknown): string | undefined {
  const login = thrown instanceof AgentCoreError ? thrown.data?.login : undefined;
  return typeof login === 'string' ? login : undefined;
}

/** A name as a shell takes it. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * The sentence for what an AWS service refused because of this machine's clock or its keys,
 * whatever was asked of it; `undefined` for other refusals.
 */
export function signatureFailure(
  cause: unknown,
  service: string,
  whose: string,
  now = Date.now(),
): AgentCoreError | undefined {
  const { name } = cause as Error;
  const words = wordsOf(cause);
  const isOfTime =
    /RequestTimeTooSkewed|RequestExpired/.test(name) || /Signature (expired|not yet)/i.test(words);
  if (isOfTime || /SignatureDoesNotMatch|InvalidSignature/.test(name)) {
    if (/scoped to/i.test(words)) {
      return credentialsFailure(
        `${service} did not accept the region of the signature: check AWS_REGION and the region of the profile (${words})`,
        { cause },
      );
    }
    const skew = skewSentence(dateOf(cause), now);
    if (skew)
      return credentialsFailure(`${service} did not accept the signature: ${skew}`, { cause });
    if (isOfTime) {
      return credentialsFailure(
        `${service} did not accept the time of the signature: set the clock of this machine (${words})`,
        { cause },
      );
    }
    return credentialsFailure(
      `${service} did not accept the signature: the secret access key ${whose} is not the one of its access key id`,
      { cause },
    );
  }
  if (/InvalidClientTokenId|UnrecognizedClient/.test(name)) {
    return credentialsFailure(
      `AWS does not know the access key ${whose}: check that it exists, is active and belongs to this partition (${words})`,
      { cause },
    );
  }
  if (/ExpiredToken/.test(name)) {
    return credentialsFailure(
      `The credentials ${whose} have expired: get new ones where these came from (${words})`,
      { cause },
    );
  }
  return undefined;
}

function dateOf(cause: unknown): string | undefined {
  const { $response } = cause as { $response?: { headers?: Record<string, string> } };
  return $response?.headers?.date;
}
