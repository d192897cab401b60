import type { Digests } from './digests.ts';
import type { Finder } from './finding/finder.ts';
import { folded } from './folding.ts';
import type { RedactionMode } from './rules.ts';
import { tokenOf } from './tokens.ts';
import type { TokenHolder, Vault } from './vault.ts';

/** What is hidden from whom. */
export interface Hiding {
  readonly finders: ReadonlyMap<string, readonly Finder[]>;
  readonly modes: ReadonlyMap<string, RedactionMode>;
  /** Whether there are kinds of a policy's own, of which nothing is known. */
  readonly hasOwnPatterns: boolean;
  /** Who gets the tokens. */
  readonly holder: TokenHolder;
  readonly vault: Vault;
  readonly digests: Digests;
}

/** A place in a text that is to be hidden. */
interface Hidden {
  start: number;
  end: number;
  kind: string;
  mode: RedactionMode;
  /** Characters of the find that gave it its kind. */
  longest: number;
}

const STRICTNESS: readonly RedactionMode[] = ['tokenize', 'hash', 'mask'];

/** How often what stands right at a find is looked at once more. */
const MOST_LOOKS = 10;
const GLUE = /[^\s",;]/;

/**
 * The places of a text to hide, in order and apart from each other. Where something stands right
 * at a find, it is looked at again without it: what is part of no longer word may be somebody's.
 */
export function findingsIn(
  text: string,
  member: string | undefined,
  hiding: Hiding,
  looks = MOST_LOOKS,
): readonly Hidden[] {
  const found = apartIn(text, member, hiding);
  if (found.length === 0 || looks === 0) return found;
  const all: Hidden[] = [];
  let from = 0;
  let isGlued = false;
  const lookAgain = (to: number) => {
    for (const more of findingsIn(text.slice(from, to), undefined, hiding, looks - 1)) {
      all.push({ ...more, start: more.start + from, end: more.end + from });
    }
  };
  for (const next of found) {
    if (next.start > from && (isGlued || GLUE.test(text[next.start - 1] as string))) {
      lookAgain(next.start);
    }
    all.push(next);
    from = next.end;
    isGlued = GLUE.test(text[from] ?? '');
  }
  if (isGlued) lookAgain(text.length);
  return all;
}

function apartIn(
  text: string,
  member: string | undefined,
  { finders, modes }: Hiding,
): readonly Hidden[] {
  const plain = folded(text);
  const all: Hidden[] = [];
  for (const [kind, mode] of modes) {
    for (const find of finders.get(kind) ?? []) {
      for (const place of find(plain.text, member)) {
        const start = plain.from(place.start);
        const end = plain.upTo(place.end);
        if (end > start) all.push({ start, end, kind, mode, longest: end - start });
      }
    }
  }
  if (all.length < 2) return all;
  all.sort((one, other) => one.start - other.start || other.end - one.end);
  const apart: Hidden[] = [];
  for (const next of all) {
    const last = apart.at(-1);
    if (!last || next.start >= last.end) apart.push(next);
    else join(last, next);
  }
  return apart;
}

/** Of two that overlap nothing stays, and the stricter mode holds. */
function join(one: Hidden, other: Hidden): void {
  one.end = Math.max(one.end, other.end);
  if (other.longest > one.longest) {
    one.kind = other.kind;
    one.longest = other.longest;
  }
  if (STRICTNESS.indexOf(other.mode) > STRICTNESS.indexOf(one.mode)) one.mode = other.mode;
}

/** What stands in the place of a value; a token is kept in the vault. */
export function standIn(
  { kind, mode }: Pick<Hidden, 'kind' | 'mode'>,
  original: string,
  isNumber: boolean,
  { holder, vault, digests }: Hiding,
): string {
  if (mode === 'mask') return `[redacted:${kind}]`;
  if (mode === 'hash') return `[${kind}#${digests.of('hash', kind, original)}]`;
  const form = `${holder} ${isNumber}`;
  for (let attempt = 0; ; attempt++) {
    const id = digests.of(`token ${form} ${attempt}`, kind, original);
    const known = vault.find(id);
    if (!known) vault.keep(id, { kind, holder, original, isNumber });
    else if (known.original !== original || known.kind !== kind || known.holder !== holder)
      continue;
    return tokenOf(kind, id);
  }
}
