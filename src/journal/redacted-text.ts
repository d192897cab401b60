import { textMask } from '../policy/redaction/text-mask.ts';

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

/** True where what a member or variable of this name holds is probably not for everybody. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/**
 * Where a secret stands by the words around it, and what stands in its place. Each is linear or
 * bounded: the text is somebody else's.
 */
const SURROUNDINGS: readonly (readonly [RegExp, string])[] = [
  // A header's value ends with its line.
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
  // RFC 3986: whatever stands before the last @ of an authority.
  [/\b([a-z][a-z\d+.-]{1,20}:\/\/)[^\s/?#]*@/gi, `$1${REDACTED}@`],
];

const masked = textMask(['private-key', 'aws-key', 'token']);

/**
 * A text without what looks like a secret in it: what redaction finds, in whatever wrapping, and
 * what stands where secrets do.
 */
export function redactedText(text: string): string {
  let redacted = masked(text).replace(/\[redacted:(?:private-key|aws-key|token)\]/g, REDACTED);
  for (const [pattern, replacement] of SURROUNDINGS) {
    redacted = redacted.replace(pattern, replacement);
  }
  return redacted;
}
