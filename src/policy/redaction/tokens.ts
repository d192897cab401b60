/**
 * `<email:1f3a5b7c9d0e2f46>`: the kind and an id of 64 bits. It is valid in any JSON string, and is
 * also found in URLs, in HTML and in JSON within a text.
 */
export function formatToken(kind: string, id: string): string {
  return `<${kind}:${id}>`;
}

/** The id of a token of {@link formatToken}. */
export function getTokenId(token: string): string {
  return token.slice(-1 - ID_LENGTH, -1);
}

/** Number of hexadecimal digits of an id. */
export const ID_LENGTH = 16;

/** A token in a text. */
export interface WrittenToken {
  readonly kind: string;
  readonly id: string;
  readonly start: number;
  readonly end: number;
  /** Encodes the original in the same way as the token. */
  readonly written: (original: string) => string;
}

/** Matches every text in the format of a token of these kinds, known or not. */
export function createTokenPattern(kinds: readonly string[]): RegExp {
  const names = kinds.toSorted((one, other) => other.length - one.length).join('|');
  return new RegExp(
    `(<|&lt;|&#60;|&#x3c;|%3c|\\\\u003c)(${names})(?::|%3a|&#58;|&#x3a;)([\\da-f]{${ID_LENGTH}})(?:>|&gt;|&#62;|&#x3e;|%3e|\\\\u003e)`,
    'gi',
  );
}

export function* findTokens(text: string, pattern: RegExp): Iterable<WrittenToken> {
  let from = 0;
  for (;;) {
    // The pattern is shared, and other texts are searched in between.
    pattern.lastIndex = from;
    const match = pattern.exec(text);
    if (!match) return;
    from = pattern.lastIndex;
    const [whole, opening, kind, id] = match as unknown as [string, string, string, string];
    yield {
      kind: kind.toLowerCase(),
      id: id.toLowerCase(),
      start: match.index,
      end: match.index + whole.length,
      written: WRITING[opening[0] as string] ?? keepUnchanged,
    };
  }
}

const WRITING: Readonly<Record<string, (original: string) => string>> = {
  '%': (original) => encodeURIComponent(Buffer.from(original).toString()),
  '&': (original) => original.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`),
  '\\': (original) => JSON.stringify(original).slice(1, -1),
};

function keepUnchanged(original: string): string {
  return original;
}
