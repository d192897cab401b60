/** Kinds of secrets with a known form. */
export type SecretKind = 'aws-key' | 'token' | 'private-key';

interface SecretPattern {
  readonly kind: SecretKind;
  /** Global. Takes linear or bounded time, because other parties provide the text. */
  readonly pattern: RegExp;
  /** True if the pattern's only group is text before the secret. */
  readonly hasLead?: boolean;
  /** Distinguishes the secret from ordinary words. */
  readonly isOne?: (secret: string) => boolean;
}

/** Ordinary words after "bearer", such as `token-based` and `authentication`. */
const ORDINARY_WORD = /^[A-Za-z]?[a-z]*(?:[-/][A-Za-z]?[a-z]+)*[.=]?$/;

/** True for a user name, colon and password in base64 (RFC 7617). */
function isBasicCredential(word: string): boolean {
  const bytes = Buffer.from(word, 'base64');
  const isWhole = bytes.toString('base64').replace(/=+$/, '') === word.replace(/=+$/, '');
  return isWhole && bytes.includes(':') && bytes.every((byte) => byte >= 0x20 && byte !== 0x7f);
}

/** Forms of secrets, for the journal and for redaction. */
export const SECRET_PATTERNS: readonly SecretPattern[] = [
  {
    kind: 'private-key',
    pattern:
      /-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z ]{0,40}-----|$)/g,
  },
  {
    kind: 'token',
    pattern: /\b(bearer\s{1,9})[\w.~+/=-]{6,}/gi,
    hasLead: true,
    isOne: (word) => !ORDINARY_WORD.test(word),
  },
  // In an authorization header, every word is a token.
  {
    kind: 'token',
    pattern:
      /\b(authorization\\?["']?\s{0,9}[:=]\s{0,9}\\?["']?(?:bearer|token)\s{1,9})[\w.~+/=-]{6,}/gi,
    hasLead: true,
  },
  {
    kind: 'token',
    pattern: /\b(basic\s{1,9})[A-Za-z\d+/]{4,}={0,2}/gi,
    hasLead: true,
    isOne: isBasicCredential,
  },
  { kind: 'token', pattern: /\beyJ[\w-]{5,}\.[\w-]*(?:\.[\w-]*)*/g },
  { kind: 'aws-key', pattern: /\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z\d]{16}\b/g },
  // Session tokens of AWS STS.
  { kind: 'aws-key', pattern: /\b(?:IQoJ|FwoG|FQoG)[\w/+=-]{40,}/g },
  // Tokens of GitHub, GitLab, Slack, npm, Google, Stripe and several model providers.
  {
    kind: 'token',
    pattern:
      /\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|xapp-|npm_|AIza|[sr]k_(?:live|test)_|sk-)[\w-]{16,}/g,
    // Excludes names such as `npm_config_registry_url` and `sk-folding-cube-container`.
    isOne: (word) => /\d/.test(word),
  },
  { kind: 'token', pattern: /\b(hooks\.slack\.com\/services\/)[\w/]{10,100}/g, hasLead: true },
];

/** A word of 40 base64 characters, the length of an AWS secret access key. */
const FORTY = /(?<![\w/+-])[A-Za-z\d/+]{40}(?![\w/+=-])/g;

/** Calls `found` for each likely AWS secret access key in a text. */
export function forEachAwsSecret(text: string, found: (start: number, end: number) => void): void {
  for (const { 0: word, index } of text.matchAll(FORTY)) {
    if (isRandom(word)) found(index, index + word.length);
  }
}

/** True if a word is random, and not a path, identifier or hexadecimal hash. */
function isRandom(word: string): boolean {
  if (!/[a-z]/.test(word) || !/[A-Z]/.test(word) || !/\d/.test(word)) return false;
  const counts = new Map<string, number>();
  for (const character of word) counts.set(character, (counts.get(character) ?? 0) + 1);
  let entropy = 0;
  for (const count of counts.values()) {
    entropy -= (count / word.length) * Math.log2(count / word.length);
  }
  // 40 random base64 characters almost always have at least 4.3 bits of entropy each.
  return entropy > 4.3;
}
