import { AgentCoreError, describeFileError } from '../../base/errors.ts';
import { decodeUtf8, getFileFingerprint, readRegularFile } from '../../base/files.ts';
import type { Log } from '../../base/logger.ts';
import type { RedactionRules } from '../../redaction/rules.ts';
import type { PolicyPlace } from './locations.ts';
import type { Policy } from './model.ts';
import { parsePolicy } from './parser.ts';
import type { RedactInput } from './schema.ts';
import { formatProblem, MAX_DOCUMENT_BYTES } from './source-text.ts';

/** The documents in force, or the reason to deny everything. */
export interface PolicyState {
  readonly policies: readonly Policy[];
  /** Set if a document has never been valid. All messages must then be denied. */
  readonly failure: string | undefined;
}

/** Maximum problems in one log message. */
const MAX_NAMED = 5;

/**
 * The policy documents in force. Reloads them when one changes. If a document becomes invalid or
 * disappears, its last valid version stays in force. If it was never valid, all messages are
 * denied.
 */
export class PolicyDocumentSet {
  readonly #places: readonly PolicyPlace[];
  readonly #log: Log;
  readonly #good = new Map<string, Policy>();
  #stamp: string | undefined;
  #isFresh = false;
  #state: PolicyState = { policies: [], failure: undefined };
  #redaction: { readonly of: readonly Policy[]; readonly rules: readonly RedactionRules[] } = {
    of: [],
    rules: [],
  };

  constructor(places: readonly PolicyPlace[], log: Log) {
    this.#places = places;
    this.#log = log;
  }

  /**
   * Reads the documents for the first time.
   *
   * @throws {AgentCoreError} if a path can never be a document, such as a FIFO. If this happens
   *   later, it is reported like an invalid document.
   */
  start(): void {
    for (const { path } of this.#places) readIfThere(path);
    this.current();
  }

  /**
   * Returns the current state. Costs one `stat` per document if nothing has changed. All callers in
   * the same turn of the event loop get the same state.
   */
  current(): PolicyState {
    if (this.#isFresh) return this.#state;
    this.#isFresh = true;
    process.nextTick(() => {
      this.#isFresh = false;
    });
    // Take the fingerprint before reading, so the next call detects a concurrent write.
    const stamp = getFileFingerprint(this.#places.map(({ path }) => path));
    if (stamp !== this.#stamp) {
      const isFirst = this.#stamp === undefined;
      this.#stamp = stamp;
      this.#state = this.#read(isFirst);
    }
    return this.#state;
  }

  /** Returns the redaction rules of the documents in force: the same list until one changes. */
  getRedactionRules(): readonly RedactionRules[] {
    const { policies } = this.current();
    if (policies !== this.#redaction.of) {
      const rules = policies.flatMap(({ redact }) => (redact ? [toRedactionRules(redact)] : []));
      this.#redaction = { of: policies, rules };
    }
    return this.#redaction.rules;
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

  /** Reads a document. Returns the problem, if there is one. */
  #readOne({ path, isRequired }: PolicyPlace): string | undefined {
    let text: string;
    try {
      text = decodeUtf8(readRegularFile(path, MAX_DOCUMENT_BYTES));
    } catch (thrown) {
      if (thrown instanceof AgentCoreError) return thrown.message;
      if (isMissing(thrown) && !isRequired && !this.#good.has(path)) return undefined;
      return `Could not read ${path}: ${describeFileError(thrown)}`;
    }
    const { policy, problems } = parsePolicy(text, path);
    if (policy) {
      this.#good.set(path, policy);
      return undefined;
    }
    const more = problems.length - MAX_NAMED;
    const named = problems.slice(0, MAX_NAMED).map(formatProblem).join('; ');
    return more > 0 ? `${named}; and ${more} more` : named;
  }
}

/** Converts the input to rules. Removes members with the value `undefined`. */
function toRedactionRules(redact: RedactInput): RedactionRules {
  return JSON.parse(JSON.stringify(redact)) as RedactionRules;
}

function readIfThere(path: string): void {
  try {
    readRegularFile(path, MAX_DOCUMENT_BYTES);
  } catch (thrown) {
    // Ignore other failures: the file or its permissions may change while the proxy runs.
    if (thrown instanceof AgentCoreError) throw thrown;
  }
}

function isMissing(thrown: unknown): boolean {
  return (thrown as NodeJS.ErrnoException).code === 'ENOENT';
}
