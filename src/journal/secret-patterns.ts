/** What a secret can be, as far as its own form tells. */
export type SecretKind = 'aws-key' | 'token' | 'private-key';

export interface SecretPattern {
  readonly kind: SecretKind;
  /** Global, and linear or bounded: the text is somebody else's. */
  readonly pattern: RegExp;
  /** True where the pattern's one group is what stands before the secret and tells that it is one. */
  readonly hasLead?: boolean;
  /** Tells the secret from ordinary words in its place. */
  readonly isOne?: (secret: string) => boolean;
}

/** `token-based`, `authentication`: what a sentence says of bearers rather than what one bears. */
const ORDINARY_WORD = /^[A-Za-z]?[a-z]*(?:[-/][A-Za-z]?[a-z]+)*[.=]?$/;

/** RFC 7617: a name and a password with a colon between, in base64. */
function isBasicCredential(word: string): boolean {
  const bytes = Buffer.from(word, 'base64');
  const isWhole = bytes.toString('base64').replace(/=+$/, '') === word.replace(/=+$/, '');
  return isWhole && bytes.includes(':') && bytes.every((byte) => byte >= 0x20 && byte !== 0x7f);
}

/** What a secret looks like by itself, for the journal and for redaction alike. */
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
  // In a header, any word is one.
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
  // The tokens of GitHub, GitLab, Slack, npm, Google, Stripe and several model providers.
  {
    kind: 'token',
    pattern:
      /\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|xapp-|npm_|AIza|[sr]k_(?:live|test)_|sk-)[\w-]{16,}/g,
    // `npm_config_registry_url` and `sk-folding-cube-container` are names.
    isOne: (word) => /\d/.test(word),
  },
  { kind: 'token', pattern: /\b(hooks\.slack\.com\/services\/)[\w/]{10,100}/g, hasLead: true },
];

/** Exactly 40 characters of base64, as the secret of an AWS access key has. */
const FORTY = /(?<![\w/+-])[A-Za-z\d/+]{40}(?![\w/+=-])/g;

/** Calls back with each thing in a text that looks like the secret of an AWS access key. */
export function eachAwsSecret(text: string, found: (start: number, end: number) => void): void {
  for (const { 0: word, index } of text.matchAll(FORTY)) {
    if (isRandom(word)) found(index, index + word.length);
  }
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
