import { stampOf } from '../../aws/file-stamp.ts';
import { AgentCoreError } from '../../error.ts';
import { fileFailure } from '../../file-failure.ts';
import type { Log } from '../../log.ts';
import { decodeUtf8, readRegularFile } from '../../regular-file.ts';
import { MAX_DOCUMENT_BYTES, problemLine } from './document-text.ts';
import type { Policy } from './policy.ts';
import type { PolicyPlace } from './policy-places.ts';
import { readPolicy } from './read-policy.ts';

/** The documents that hold now. */
export interface PolicyState {
  readonly policies: readonly Policy[];
  /** Why nothing is allowed: a document that could never be read. */
  readonly failure: string | undefined;
}

/** Mistakes of a document that one sentence names. */
const MOST_NAMED = 5;

/**
 * All documents that hold, read anew when one of them changes. One that becomes invalid or goes
 * keeps what it said last; one that was never valid lets nothing pass.
 */
export class PolicySet {
  readonly #places: readonly PolicyPlace[];
  readonly #log: Log;
  readonly #good = new Map<string, Policy>();
  #stamp: string | undefined;
  #isFresh = false;
  #state: PolicyState = { policies: [], failure: undefined };

  constructor(places: readonly PolicyPlace[], log: Log) {
    this.#places = places;
    this.#log = log;
  }

  /**
   * Reads the documents for the first time.
   *
   * @throws {AgentCoreError} if a path can never be a document, such as a FIFO. One that becomes
   *   so later is reported like an invalid document.
   */
  start(): void {
    for (const { path } of this.#places) readIfThere(path);
    this.current();
  }

  /**
   * Costs a `stat` for each document where nothing has changed. Whoever asks while the same event is
   * handled, as all do that a message passes, gets the same answer.
   */
  current(): PolicyState {
    if (this.#isFresh) return this.#state;
    this.#isFresh = true;
    process.nextTick(() => {
      this.#isFresh = false;
    });
    // Taken before reading: what is written meanwhile is read the next time.
    const stamp = stampOf(this.#places.map(({ path }) => path));
    if (stamp !== this.#stamp) {
      const isFirst = this.#stamp === undefined;
      this.#stamp = stamp;
      this.#state = this.#read(isFirst);
    }
    return this.#state;
  }

  #read(isFirst: boolean): PolicyState {
    const failures: string[] = [];
    for (const place of this.#places) {
      const { path } = place;
      const mistake = this.#readOne(place);
      if (mistake === undefined) continue;
      if (this.#good.has(path)) {
        this.#log('warning', `What ${path} said before stays in force: ${mistake}`);
      } else {
        failures.push(mistake);
        this.#log('error', `Nothing is allowed, because a policy cannot be used: ${mistake}`);
      }
    }
    if (!isFirst && failures.length === 0) this.#log('notice', 'The policy was read anew');
    const policies = this.#places.flatMap(({ path }) => this.#good.get(path) ?? []);
    return { policies, failure: failures[0] };
  }

  /** @returns what is wrong, if anything is. */
  #readOne({ path, isRequired }: PolicyPlace): string | undefined {
    let text: string;
    try {
      text = decodeUtf8(readRegularFile(path, MAX_DOCUMENT_BYTES));
    } catch (thrown) {
      if (thrown instanceof AgentCoreError) return thrown.message;
      if (isMissing(thrown) && !isRequired && !this.#good.has(path)) return undefined;
      return `Could not read ${path}: ${fileFailure(thrown)}`;
    }
    const { policy, problems } = readPolicy(text, path);
    if (policy) {
      this.#good.set(path, policy);
      return undefined;
    }
    const more = problems.length - MOST_NAMED;
    const named = problems.slice(0, MOST_NAMED).map(problemLine).join('; ');
    return more > 0 ? `${named}; and ${more} more` : named;
  }
}

function readIfThere(path: string): void {
  try {
    readRegularFile(path, MAX_DOCUMENT_BYTES);
  } catch (thrown) {
    // Other failures pass: the file may be written, or its rights be changed, while the proxy runs.
    if (thrown instanceof AgentCoreError) throw thrown;
  }
}

function isMissing(thrown: unknown): boolean {
  return (thrown as NodeJS.ErrnoException).code === 'ENOENT';
}
