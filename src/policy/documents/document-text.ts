import { isAlias, isMap, isPair, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import type { z } from 'zod';
import { numberTags } from './yaml-numbers.ts';

/** Something wrong with a document, where it stands. Lines and columns count from 1. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export function problemLine({ file, line, column, message }: Problem): string {
  return `${file}:${line}:${column}: ${message}`;
}

/** A document may not be made to unfold into much more than it is. */
const MOST_ALIASES = 100;
/** Characters: a policy of thousands of rules has fewer. */
const LONGEST_DOCUMENT = 2_000_000;
/** UTF-8 has at most 3 bytes for a character of JavaScript. */
export const MAX_DOCUMENT_BYTES = 3 * LONGEST_DOCUMENT;

type Path = readonly PropertyKey[];

/** The text of a YAML or JSON document as a value, with the way back from the value to the text. */
export class DocumentText {
  readonly value: unknown;
  readonly problems: readonly Problem[];
  readonly #file: string;
  readonly #root: Node | null;
  readonly #lines = new LineCounter();

  /** @param refusesDates See {@link numberTags}. */
  constructor(text: string, file: string, refusesDates = false) {
    this.#file = file;
    const isTooLong = text.length > LONGEST_DOCUMENT;
    // Others' readers of YAML know merge keys (`<<`), and so do documents that were written for them.
    const document = parseDocument(isTooLong ? '' : text, {
      lineCounter: this.#lines,
      merge: true,
      // Whatever version a directive names: a document has one meaning.
      schema: 'core',
      resolveKnownTags: false,
      stringKeys: true,
      customTags: (tags) => [
        ...tags.filter((tag) => typeof tag === 'string' || !/:(int|float)$/.test(tag.tag)),
        ...numberTags(refusesDates),
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
    if (isTooLong) problems.push(this.#at(0, `is longer than ${LONGEST_DOCUMENT} characters`));
    try {
      this.value = problems.length > 0 ? undefined : document.toJS({ maxAliasCount: MOST_ALIASES });
    } catch (thrown) {
      problems.push(this.#at(0, (thrown as Error).message));
    }
    this.problems = problems;
  }

  /** @param path Keys and indexes that lead to what is wrong, or to where it is missing. */
  problem(path: Path, message: string): Problem {
    const shown = path.length > 0 ? `${path.map(String).join('.')}: ${message}` : message;
    return this.#at(this.#offsetOf(path), shown);
  }

  /** What a schema has to say about the value. */
  problemsOf(issue: z.core.$ZodIssue): Problem[] {
    if (issue.code !== 'unrecognized_keys') return [this.problem(issue.path, issue.message)];
    return issue.keys.map((key) => this.problem([...issue.path, key], 'there is no such field'));
  }

  #at(offset: number, message: string): Problem {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.#file, line: Math.max(line, 1), column: Math.max(col, 1), message };
  }

  /** Of the key where there is one, else of the nearest thing around it. */
  #offsetOf(path: Path): number {
    let node: unknown = this.#root;
    let offset = rangeOf(node);
    for (const key of path) {
      if (isAlias(node)) break;
      const pair = isMap(node)
        ? node.items.find((item) => isPair(item) && String(item.key) === String(key))
        : undefined;
      const next = pair ? pair.value : isSeq(node) ? node.items[Number(key)] : undefined;
      if (!pair && !next) break;
      offset = rangeOf(pair?.key) ?? rangeOf(next) ?? offset;
      node = next;
    }
    return offset ?? 0;
  }
}

function rangeOf(node: unknown): number | undefined {
  return (node as Node | undefined)?.range?.[0];
}
