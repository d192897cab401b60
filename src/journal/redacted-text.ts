import { createTextMask } from '../policy/redaction/text-mask.ts';

export const REDACTED = '[redacted]';

const WORDS = [
  'passw(?:or)?d',
  'passphrase',
  'secret',
  'token',
  'api[_-]?key',
  'authorization',
  'cookie',
  'credential',
  'private[_-]?key',
  'access[_-]?key',
  'signature',
  'jwt',
].join('|');

const SECRET_NAME = new RegExp(`${WORDS}|^(?:pwd|pin|auth|bearer)$`, 'i');

/** True if a member or variable with this name probably contains a secret. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/**
 * Patterns that detect a secret by its context, with replacements. Each is linear or bounded,
 * because the text comes from other parties.
 */
const SURROUNDINGS: readonly (readonly [RegExp, string])[] = [
  // The value of a header extends to the end of its line.
  [
    /\b((?:set-|proxy-)?(?:cookie|authorization)\\?["']?\s{0,9}[:=]\s{0,9})[^\r\n]+/gi,
    `$1${REDACTED}`,
  ],
  [
    new RegExp(
      String.raw`([\w-]{0,32}(?:${WORDS})[\w-]{0,32}\\?["']?\s{0,9}[:=]\s{0,9})(?!\[redacted\])` +
        String.raw`(?:\\?"(?:[^"\\]|\\[^"])*\\?"?|'[^']*'?|[^\s"',;&)}\]]+)`,
      'gi',
    ),
    `$1${REDACTED}`,
  ],
  // RFC 3986: the user information before the last @ of an authority.
  [/\b([a-z][a-z\d+.-]{1,20}:\/\/)[^\s/?#]*@/gi, `$1${REDACTED}@`],
];

const masked = createTextMask(['private-key', 'aws-key', 'token']);

/** Replaces likely secrets in a text, detected by their form or their context. */
export function sanitizeText(text: string): string {
  let redacted = masked(text).replace(/\[redacted:(?:private-key|aws-key|token)\]/g, REDACTED);
  for (const [pattern, replacement] of SURROUNDINGS) {
    redacted = redacted.replace(pattern, replacement);
  }
  return redacted;
}
