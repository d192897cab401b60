import {
  isAlias,
  isMap,
  isPair,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type ScalarTag,
} from 'yaml';
import type { z } from 'zod';

/** A problem and its position in a document. Lines and columns start at 1. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export function formatProblem({ file, line, column, message }: Problem): string {
  return `${file}:${line}:${column}: ${message}`;
}

/** Maximum expansion of YAML aliases. A small document must not become a huge value. */
const MAX_ALIASES = 100;

/** Maximum characters of a document. A policy with thousands of rules is shorter. */
const MAX_DOCUMENT_LENGTH = 2_000_000;

/** Maximum size of a document. UTF-8 has at most 3 bytes per JavaScript character. */
export const MAX_DOCUMENT_BYTES = 3 * MAX_DOCUMENT_LENGTH;

type Path = readonly PropertyKey[];

/** Parses a YAML or JSON document and maps paths of the value to positions in the text. */
export class DocumentText {
  readonly value: unknown;
  readonly problems: readonly Problem[];
  readonly #file: string;
  readonly #root: Node | null;
  readonly #lines = new LineCounter();

  /** @param refusesDates See {@link createNumberTags}. */
  constructor(text: string, file: string, refusesDates = false) {
    this.#file = file;
    const isTooLong = text.length > MAX_DOCUMENT_LENGTH;
    // Enable merge keys (`<<`): other YAML readers support them, and existing documents use them.
    const document = parseDocument(isTooLong ? '' : text, {
      lineCounter: this.#lines,
      merge: true,
      // Ignore the YAML version in a directive: a document must have one meaning.
      schema: 'core',
      resolveKnownTags: false,
      stringKeys: true,
      customTags: (tags) => [
        ...tags.filter((tag) => typeof tag === 'string' || !/:(int|float)$/.test(tag.tag)),
        ...createNumberTags(refusesDates),
      ],
    });
    this.#root = document.contents as Node | null;
    const problems = [...document.errors, ...document.warnings].map(({ pos, message }) =>
      this.#at(
        pos[0],
        message
          .split('\n')[0]
          ?.replace(/ at line.*/, '')
          .replace(/; please use .*/, ', of which only one can hold') ?? '',
      ),
    );
    if (isTooLong) problems.push(this.#at(0, `is longer than ${MAX_DOCUMENT_LENGTH} characters`));
    try {
      this.value = problems.length > 0 ? undefined : document.toJS({ maxAliasCount: MAX_ALIASES });
    } catch (thrown) {
      problems.push(this.#at(0, (thrown as Error).message));
    }
    this.problems = problems;
  }

  /**
   * Creates a problem at a value of the document.
   *
   * @param path Keys and indexes of the invalid or missing value.
   */
  problem(path: Path, message: string): Problem {
    const shown = path.length > 0 ? `${path.map(String).join('.')}: ${message}` : message;
    return this.#at(this.#getOffset(path), shown);
  }

  /** Converts an issue of a schema to problems with positions. */
  toProblems(issue: z.core.$ZodIssue): Problem[] {
    if (issue.code !== 'unrecognized_keys') return [this.problem(issue.path, issue.message)];
    return issue.keys.map((key) => this.problem([...issue.path, key], 'there is no such field'));
  }

  #at(offset: number, message: string): Problem {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.#file, line: Math.max(line, 1), column: Math.max(col, 1), message };
  }

  /** Returns the offset of a key; if it does not exist, of the nearest enclosing value. */
  #getOffset(path: Path): number {
    let node: unknown = this.#root;
    let offset = getRangeStart(node);
    for (const key of path) {
      if (isAlias(node)) break;
      const pair = isMap(node)
        ? node.items.find((item) => isPair(item) && String(item.key) === String(key))
        : undefined;
      const next = pair ? pair.value : isSeq(node) ? node.items[Number(key)] : undefined;
      if (!pair && !next) break;
      offset = getRangeStart(pair?.key) ?? getRangeStart(next) ?? offset;
      node = next;
    }
    return offset ?? 0;
  }
}

function getRangeStart(node: unknown): number | undefined {
  return (node as Node | undefined)?.range?.[0];
}

/** Integers of YAML 1.1 and 1.2 (source: Go's `strconv.ParseInt` with base 0). */
const INTEGER = /^([-+]?)(?:0[xX]([\da-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9]\d*))$/;

const FLOAT = /^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/;

const NO_NUMBER = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;

const DATE =
  /^\d{4}-\d{1,2}-\d{1,2}(?:[Tt ]\d{1,2}:\d{1,2}:\d{1,2}(?:\.\d+)?(?:Z|[-+]\d\d:\d\d)?)?$/;

type Complain = (message: string) => void;

/**
 * Creates tags that parse numbers like Intercept's YAML reader (source: resolve.go of
 * gopkg.in/yaml.v3). It ignores underscores, reads `0100` as octal, and treats sexagesimal numbers
 * as text.
 *
 * @param refusesDates True if an unquoted date is an error. yaml.v3 reads it as a time, which never
 *   equals a text.
 */
function createNumberTags(refusesDates: boolean): ScalarTag[] {
  const resolve = (text: string, complain: Complain): unknown => {
    if (DATE.test(text)) {
      if (refusesDates) complain(`"${text}" is a date. Put it in quotes to compare it as text`);
      return text;
    }
    return parseNumber(text, complain) ?? text;
  };
  return ['int', 'float'].map((type) => ({
    tag: `tag:yaml.org,2002:${type}`,
    default: true,
    test: /^[-+]?[.\d]/,
    resolve,
  }));
}

/** Parses a number. Returns `undefined` if the text is not a number. */
function parseNumber(text: string, complain: Complain): number | undefined {
  if (NO_NUMBER.test(text)) {
    complain(`"${text}" is no number that can be compared`);
    return undefined;
  }
  // yaml.v3 removes underscores only if the first character is a digit or a sign.
  const plain = text.startsWith('.') ? text : text.replaceAll('_', '');
  const integer = parseInteger(plain);
  const number = integer === undefined && FLOAT.test(plain) ? Number(plain) : Number(integer);
  if (Number.isNaN(number)) return undefined;
  const isExact = integer === undefined ? Number.isFinite(number) : BigInt(number) === integer;
  if (!isExact) complain(`"${text}" is too large to be compared exactly. Put it in quotes`);
  return number;
}

function parseInteger(plain: string): bigint | undefined {
  const match = INTEGER.exec(plain);
  if (!match) return undefined;
  const [, sign, hexadecimal, binary, octal, decimal = '0'] = match;
  const magnitude = hexadecimal
    ? `0x${hexadecimal}`
    : binary
      ? `0b${binary}`
      : octal
        ? `0o${octal}`
        : decimal;
  return sign === '-' ? -BigInt(magnitude) : BigInt(magnitude);
}
