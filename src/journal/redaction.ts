import { isSecretName, REDACTED, sanitizeText } from './redacted-text.ts';

/** Maximum characters kept of a string. */
const STRING_LENGTH = 500;

/** Characters of a string to search, so that no secret is cut off before it is detected. */
const LOOKED_AT = STRING_LENGTH + 4_000;

/** Maximum characters of a string to parse as JSON. */
const JSON_LENGTH = 64 * 1024;

const NAME_LENGTH = 100;

const DEPTH = 8;

const BREADTH = 50;

/** Maximum bytes of the result as JSON. The rest up to 8 KB is reserved for truncation marks. */
const BYTES = 7 * 1024;

/**
 * Prepares arguments or results of a call for the journal. Removes likely secrets by name or form,
 * also in JSON within strings, and limits the result to 8 KB of JSON. Detection is heuristic: it
 * misses secrets that look like ordinary words.
 */
export function sanitizeValue(value: unknown): unknown {
  return new Redaction().of(value, 0);
}

class Redaction {
  #left = BYTES;

  of(value: unknown, depth: number): unknown {
    if (this.#left <= 0) return '[cut]';
    if (typeof value === 'string') return this.#spend(sanitizeString(value, depth));
    if (typeof value === 'bigint') return this.#spend(`${value}`);
    if (typeof value !== 'object' || value === null) return this.#spend(value);
    if (depth >= DEPTH) return this.#spend('[too deep]');
    return Array.isArray(value) ? this.#items(value, depth) : this.#members(value, depth);
  }

  #items(items: readonly unknown[], depth: number): unknown[] {
    const kept: unknown[] = [];
    for (const item of items) {
      if (kept.length === BREADTH || this.#left <= 0) {
        kept.push(`[${items.length - kept.length} more]`);
        break;
      }
      kept.push(this.of(item, depth + 1));
    }
    return kept;
  }

  #members(object: object, depth: number): unknown {
    const members = Object.entries(object);
    const isSecretPair = isSecretEntry(object);
    const kept: [string, unknown][] = [];
    for (const [name, value] of members) {
      if (kept.length === BREADTH || this.#left <= 0) {
        kept.push(['…', `[${members.length - kept.length} more]`]);
        break;
      }
      const isSecret =
        (isSecretName(name) && mayBeSecret(name, value)) || (isSecretPair && name === 'value');
      const shownName = truncateText(
        sanitizeText(name.slice(0, LOOKED_AT)),
        name.length,
        NAME_LENGTH,
      );
      this.#spend(shownName);
      kept.push([shownName, isSecret ? this.#spend(REDACTED) : this.of(value, depth + 1)]);
    }
    // `Object.fromEntries` defines members, so `__proto__` becomes an ordinary member.
    return Object.fromEntries(kept);
  }

  #spend<T>(value: T): T {
    this.#left -= Buffer.byteLength(JSON.stringify(value) ?? '') + 1;
    return value;
  }
}

function sanitizeString(text: string, depth: number): string {
  if (text.length <= JSON_LENGTH && /^\s*[[{"]/.test(text) && depth < DEPTH) {
    try {
      const inner = JSON.stringify(new Redaction().of(JSON.parse(text), depth + 1));
      return truncateText(inner, text.length, STRING_LENGTH);
    } catch {
      // Not JSON after all.
    }
  }
  // Encoded text can only be decoded as a whole.
  const isEncoded = !/\s/.test(text.slice(0, LOOKED_AT));
  if (isEncoded && text.length > JSON_LENGTH) return `[${text.length} characters]`;
  const looked = isEncoded ? text : text.slice(0, LOOKED_AT);
  return truncateText(sanitizeText(looked), text.length, STRING_LENGTH);
}

function truncateText(text: string, originalLength: number, length: number): string {
  if (text.length <= length && originalLength <= LOOKED_AT) return text;
  return `${text.slice(0, length)}… [${originalLength} characters]`;
}

/** Excludes token counts and booleans such as "has a password", because they reveal nothing. */
function mayBeSecret(name: string, value: unknown): boolean {
  if (typeof value === 'number') return !/tokens?$/i.test(name);
  return typeof value !== 'boolean' && value !== null && value !== undefined;
}

/** A common form of headers and variables: `{ "name": "Authorization", "value": "…" }`. */
function isSecretEntry(object: object): boolean {
  return ['name', 'key', 'Name', 'Key'].some((member) => {
    const name: unknown = Reflect.get(object, member);
    return typeof name === 'string' && isSecretName(name);
  });
}
