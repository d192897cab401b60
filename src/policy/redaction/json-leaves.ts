/** Where in a JSON text a string or a number stands. */
export interface LeafPlace {
  /** The name of a member rather than a value. */
  readonly isKey: boolean;
  /** The members that lead to it, those of arrays not counted; its own name is the last one. */
  readonly path: readonly string[];
}

/** Says what stands in a leaf's place; `undefined` leaves it as it is, to the byte. */
export interface LeafRewriter {
  /** @returns a JSON text; for a key that of a string. */
  string(text: string, place: LeafPlace): string | undefined;
  /** @param token The number as it is written. */
  number(token: string, place: LeafPlace): string | undefined;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * A JSON text with some of its strings and numbers replaced; all other bytes stay. It takes what
 * `JSON.parse` has accepted, of any depth, and gives what `JSON.parse` accepts. Keys that become
 * the same are told apart by a number.
 */
export function rewriteLeaves(json: string, rewriter: LeafRewriter): string {
  const path: string[] = [];
  /** Of each container that is open: the length of the path around it. */
  const open: number[] = [];
  /** The keys that were written in place of others, by object. */
  const written: (Map<string, number> | undefined)[] = [];
  let rewritten = '';
  let copied = 0;
  let at = 0;

  while (at < json.length) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) {
      const end = endOfString(json, at);
      const isKey = isFollowedByColon(json, end);
      const text = textOf(json, at, end);
      if (isKey) path[open.at(-1) as number] = text;
      if (isKey) path.length = (open.at(-1) as number) + 1;
      const token = rewriter.string(text, { isKey, path });
      if (token !== undefined) {
        rewritten += json.slice(copied, at);
        rewritten += isKey ? distinct(token, written, open.length) : token;
        copied = end;
      }
      at = end;
    } else if (code === 0x7b || code === 0x5b) {
      open.push(path.length);
      written.length = open.length;
      at += 1;
    } else if (code === 0x7d || code === 0x5d) {
      path.length = open.pop() as number;
      at += 1;
    } else if (isOfNumber(code)) {
      let end = at + 1;
      while (end < json.length && isOfNumber(json.charCodeAt(end))) end++;
      // The letters of `true` and `false` pass as parts of numbers.
      const first = json.charCodeAt(at);
      const isNumber = first === 0x2d || (first >= 0x30 && first <= 0x39);
      const token = isNumber && rewriter.number(json.slice(at, end), { isKey: false, path });
      if (typeof token === 'string') {
        rewritten += json.slice(copied, at) + token;
        copied = end;
      }
      at = end;
    } else {
      at += 1;
    }
  }
  return copied === 0 ? json : rewritten + json.slice(copied);
}

function distinct(
  token: string,
  written: (Map<string, number> | undefined)[],
  depth: number,
): string {
  const keys = written[depth] ?? new Map<string, number>();
  written[depth] = keys;
  const times = (keys.get(token) ?? 0) + 1;
  keys.set(token, times);
  return times === 1 ? token : `${token.slice(0, -1)} (${times})"`;
}

function endOfString(json: string, start: number): number {
  let quote = json.indexOf('"', start + 1);
  while (quote !== -1 && isEscaped(json, quote)) quote = json.indexOf('"', quote + 1);
  return quote === -1 ? json.length : quote + 1;
}

function isEscaped(json: string, at: number): boolean {
  let backslashes = 0;
  while (json.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes++;
  return backslashes % 2 === 1;
}

function textOf(json: string, start: number, end: number): string {
  const written = json.slice(start + 1, end - 1);
  return written.includes('\\') ? (JSON.parse(json.slice(start, end)) as string) : written;
}

function isFollowedByColon(json: string, start: number): boolean {
  let at = start;
  while (json.charCodeAt(at) <= 0x20) at++;
  return json.charCodeAt(at) === 0x3a;
}

/** Digits, signs, the point and the e of an exponent. */
function isOfNumber(code: number): boolean {
  return (
    (code >= 0x30 && code <= 0x39) ||
    code === 0x2d ||
    code === 0x2b ||
    code === 0x2e ||
    code === 0x65 ||
    code === 0x45
  );
}
