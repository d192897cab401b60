import { AgentCoreError } from '../../error.ts';
import { KIND_NAME, REDACTION_KINDS, type RedactionKind } from './kinds.ts';

/**
 * What stands in place of what was found: `[redacted:email]`, a salted hash that is the same for
 * the same value, or a token that is turned back into the value on its way to whoever had it.
 */
export type RedactionMode = 'mask' | 'hash' | 'tokenize';

/** What the client sends, or what the server does. */
export type RedactionDirection = 'arguments' | 'results';

/** A pattern of a policy's own, in RE2's syntax. Its name is a kind beside the known ones. */
export interface OwnPattern {
  readonly name: string;
  readonly pattern: string;
  readonly ignoreCase?: boolean;
  readonly mode?: RedactionMode;
}

/** One section `redact` of a policy. All that is left out is the default. */
export interface RedactionRules {
  /** Turns kinds off, or on in a mode of their own. All are on. */
  readonly kinds?: Partial<Readonly<Record<RedactionKind, boolean | RedactionMode>>>;
  readonly patterns?: readonly OwnPattern[];
  /** `tokenize` */
  readonly mode?: RedactionMode;
  /** `arguments` */
  readonly directions?: readonly RedactionDirection[];
  /**
   * Names of tools, `*` for any characters and `?` for one; all. A message that is no call of a
   * tool, or the answer to one, is under all rules: nobody can tell which tool it belongs to.
   */
  readonly tools?: readonly string[];
  /** Countries whose telephone numbers are found without their country code too (ISO 3166). */
  readonly countries?: readonly string[];
}

const MOST_PATTERNS = 100;
/** Where several rules name a kind, the one that gives least away counts. */
const STRICTNESS: readonly RedactionMode[] = ['tokenize', 'hash', 'mask'];

/**
 * The mode of each kind that the rules have found on the way of a message.
 *
 * @param tool The tool that is called; undefined for all other messages.
 */
export function modesFor(
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

/** @throws {AgentCoreError} `config` where own patterns cannot be told from others, or are too many. */
export function ownPatterns(rules: readonly RedactionRules[]): readonly OwnPattern[] {
  const patterns = rules.flatMap((rule) => rule.patterns ?? []);
  if (patterns.length > MOST_PATTERNS) {
    throw new AgentCoreError(
      'config',
      `The policies redact ${patterns.length} patterns of their own, more than the ${MOST_PATTERNS} that fit; put some into one`,
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

/** A name that only reads like one that is meant, meant or not, is under the rule as well. */
function isNamed(tool: string, glob: string): boolean {
  return matches(tool, glob) || matches(plainName(tool), plainName(glob));
}

function plainName(name: string): string {
  return name
    .normalize('NFKC')
    .replace(/[\p{Cf}\s]/gu, '')
    .toLowerCase();
}

/** Goes back to the latest star only, so that it takes no more than the product of the lengths. */
function matches(name: string, glob: string): boolean {
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
