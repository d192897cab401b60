import { AgentCoreError } from '../base/errors.ts';

/**
 * The replacement of a detected value. `mask`: `[redacted:email]`. `hash`: a salted hash, equal for
 * equal values. `tokenize`: a token. When the token comes back, the proxy restores the value.
 */
export type RedactionMode = 'mask' | 'hash' | 'tokenize';

/** The messages to redact: those of the client (`arguments`) or of the server (`results`). */
type RedactionDirection = 'arguments' | 'results';

/** A policy's own pattern in RE2 syntax. Its name is an additional kind. */
export interface OwnPattern {
  readonly name: string;
  readonly pattern: string;
  readonly ignoreCase?: boolean;
  readonly mode?: RedactionMode;
}

/** A `redact` section of a policy. */
export interface RedactionRules {
  /** Disables kinds, or sets their mode. All kinds are enabled by default. */
  readonly kinds?: Partial<Readonly<Record<RedactionKind, boolean | RedactionMode>>>;
  readonly patterns?: readonly OwnPattern[];
  /** Default: `tokenize`. */
  readonly mode?: RedactionMode;
  /** Default: `arguments`. */
  readonly directions?: readonly RedactionDirection[];
  /**
   * Names of tools, with `*` for any characters and `?` for one. Default: all. Messages other than
   * tool calls and their responses belong to no tool, so all rules apply to them.
   */
  readonly tools?: readonly string[];
  /** Countries (ISO 3166) for the detection of telephone numbers without a country code. */
  readonly countries?: readonly string[];
}

const MAX_PATTERNS = 100;

/** Modes from the least strict. If several rules apply to a kind, the strictest mode applies. */
const STRICTNESS: readonly RedactionMode[] = ['tokenize', 'hash', 'mask'];

/**
 * Returns the kinds to detect in messages of a direction, with their modes.
 *
 * @param tool The called tool; `undefined` for messages without a tool.
 */
export function resolveModes(
  rules: readonly RedactionRules[],
  direction: RedactionDirection,
  tool: string | undefined,
): ReadonlyMap<string, RedactionMode> {
  const modes = new Map<string, RedactionMode>();
  const add = (kind: string, mode: RedactionMode) => {
    const known = modes.get(kind);
    if (known && STRICTNESS.indexOf(known) >= STRICTNESS.indexOf(mode)) return;
    modes.set(kind, mode);
  };
  for (const { kinds, patterns, mode = 'tokenize', directions, tools } of rules) {
    if (!(directions ?? ['arguments']).includes(direction)) continue;
    if (tool !== undefined && tools && !tools.some((glob) => isNamed(tool, glob))) continue;
    for (const kind of REDACTION_KINDS) {
      const chosen = kinds?.[kind] ?? true;
      if (chosen !== false) add(kind, chosen === true ? mode : chosen);
    }
    for (const own of patterns ?? []) add(own.name, own.mode ?? mode);
  }
  return modes;
}

/**
 * Returns the own patterns of all rules.
 *
 * @throws {AgentCoreError} `config` if a pattern's name is invalid or reserved, or if there are too
 *   many patterns.
 */
export function collectPatterns(rules: readonly RedactionRules[]): readonly OwnPattern[] {
  const patterns = rules.flatMap((rule) => rule.patterns ?? []);
  if (patterns.length > MAX_PATTERNS) {
    throw new AgentCoreError(
      'config',
      `The policies redact ${patterns.length} patterns of their own, more than the ${MAX_PATTERNS} that fit; put some into one`,
    );
  }
  for (const { name } of patterns) {
    if (KIND_NAME.test(name) && !REDACTION_KINDS.some((kind) => kind === name)) continue;
    throw new AgentCoreError(
      'config',
      `A pattern to redact cannot be named "${name}": use small letters, digits and hyphens, and none of ${REDACTION_KINDS.join(', ')}`,
    );
  }
  return patterns;
}

/** True if a glob matches a tool's name. Ignores case, width, spaces and invisible characters. */
function isNamed(tool: string, glob: string): boolean {
  return matchesGlob(tool, glob) || matchesGlob(normalizeName(tool), normalizeName(glob));
}

function normalizeName(name: string): string {
  return name
    .normalize('NFKC')
    .replace(/[\p{Cf}\s]/gu, '')
    .toLowerCase();
}

/** Backtracks only to the latest star. The time is bounded by the product of the lengths. */
function matchesGlob(name: string, glob: string): boolean {
  let at = 0;
  let inGlob = 0;
  let star = -1;
  let afterStar = 0;
  while (at < name.length) {
    if (glob[inGlob] === '*') {
      star = inGlob++;
      afterStar = at;
    } else if (glob[inGlob] === '?' || glob[inGlob] === name[at]) {
      at += 1;
      inGlob += 1;
    } else if (star !== -1) {
      inGlob = star + 1;
      at = ++afterStar;
    } else {
      return false;
    }
  }
  while (glob[inGlob] === '*') inGlob++;
  return inGlob === glob.length;
}

/** The built-in kinds of values. The names of a policy's own patterns are further kinds. */
export const REDACTION_KINDS = [
  'email',
  'phone',
  'card',
  'iban',
  'national-id',
  'ip',
  'aws-key',
  'token',
  'private-key',
] as const;

export type RedactionKind = (typeof REDACTION_KINDS)[number];

/** The format of a kind's name. The name is part of tokens. */
export const KIND_NAME = /^[a-z][a-z0-9-]{0,31}$/;

/** A range of a text, from `start` to before `end`. */
export interface Place {
  readonly start: number;
  readonly end: number;
}

/**
 * Finds one kind of data in a normalized text (`text-normalization.ts`). Must take linear time for
 * every text, because other parties provide the texts.
 *
 * @param member Name of the JSON member with the text as its value, if there is one.
 */
export type Detector = (text: string, member?: string) => Iterable<Place>;

/**
 * Returns all matches of a global pattern. The pattern must not match the empty text. Unlike
 * `matchAll`, does not copy the pattern.
 */
export function findMatches(text: string, pattern: RegExp): readonly RegExpExecArray[] {
  pattern.lastIndex = 0;
  const first = pattern.exec(text);
  if (!first) return NONE;
  const matches = [first];
  for (let next = pattern.exec(text); next; next = pattern.exec(text)) matches.push(next);
  return matches;
}

const NONE: readonly RegExpExecArray[] = [];
