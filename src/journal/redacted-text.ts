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
 * What a secret looks like, and what stands in its place. Each is linear or bounded: the text is
 * somebody else's.
 */
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}-----|$)/g, REDACTED],
  // A header's value ends with its line.
  [
    /\b((?:set-|proxy-)?(?:cookie|authorization)\\?["']?\s{0,9}[:=]\s{0,9})[^\r\n]+/gi,
    `$1${REDACTED}`,
  ],
  [/\b(bearer\s{1,9})[\w.~+/=-]{6,}/gi, `$1${REDACTED}`],
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
  [/\beyJ[\w-]{5,}\.[\w-]*(?:\.[\w-]*)*/g, REDACTED],
  [/\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z\d]{16}\b/g, REDACTED],
  // Session tokens of AWS STS, and the tokens of GitHub, Slack and several model providers.
  [/\b(?:IQoJ|FwoG|FQoG)[\w/+=-]{40,}/g, REDACTED],
  [/\b(?:gh[pousr]_|github_pat_|xox[abprs]-|sk-)[\w-]{16,}/g, REDACTED],
];

/** Exactly 40 characters of base64, as the secret of an AWS access key has. */
const FORTY = /(?<![\w/+-])[A-Za-z\d/+]{40}(?![\w/+=-])/g;

/** A text without what looks like a secret in it. */
export function redactedText(text: string): string {
  let redacted = text;
  for (const [pattern, replacement] of PATTERNS) {
    redacted = redacted.replace(pattern, replacement);
  }
  return redacted.replace(FORTY, (word) => (isRandom(word) ? REDACTED : word));
}

/** Tells a random word from a path, an identifier or a hexadecimal hash of the same length. */
function isRandom(word: string): boolean {
  if (!/[a-z]/.test(word) || !/[A-Z]/.test(word) || !/\d/.test(word)) return false;
  const counts = new Map<string, number>();
  for (const character of word) counts.set(character, (counts.get(character) ?? 0) + 1);
  let entropy = 0;
  for (const count of counts.values()) {
    entropy -= (count / word.length) * Math.log2(count / word.length);
  }
  // Of 40 random characters of base64, hardly ever one has less than 4.3 bits each.
  return entropy > 4.3;
}
