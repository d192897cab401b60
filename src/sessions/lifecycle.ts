import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { LifecycleConfiguration } from '../aws/sdk-client.ts';
import { ensurePrivateDirectory, replaceFile } from '../base/files.ts';
import type { SessionOrigin } from '../state/journal/records.ts';

/** How long sessions of a runtime last, in milliseconds. */
export interface Lifecycle {
  /** From the last use. */
  readonly idleTimeout: number;
  /** From the start, however busy. */
  readonly maxLifetime: number;
  /** `assumed` where the runtime could not be asked: AgentCore's own defaults. */
  readonly source: 'runtime' | 'assumed';
}

const SECOND = 1000;

const HOUR = 3600 * SECOND;

export const DEFAULT_LIFECYCLE: Lifecycle = {
  idleTimeout: 900 * SECOND,
  maxLifetime: 28_800 * SECOND,
  source: 'assumed',
};

/** Who asks for a lifecycle: any session of the runtime. */
export type LifecycleSubject = Pick<
  SessionOrigin,
  'runtime' | 'endpoint' | 'profile' | 'assumeRole'
>;

interface LifecycleCacheOptions {
  /** What was read before, kept for the next program; made where it is missing. */
  readonly file: string;
  readonly read: (
    subject: LifecycleSubject,
    signal: AbortSignal,
  ) => Promise<LifecycleConfiguration | undefined>;
  readonly now: () => number;
  /** Milliseconds for all reading together. */
  readonly timeoutMs?: number;
}

/** Loading the AWS client alone takes seconds on a busy machine. */
const MAX_WAIT = 5 * SECOND;

/** How long an answer, and a refusal, is taken for the present one. */
const ANSWER_HOLDS = 24 * HOUR;

const REFUSAL_HOLDS = HOUR;

/** An answer this old goes out of the file: no session is left that began under it. */
const FORGOTTEN_AFTER = 30 * 24 * HOUR;

/** What is known of one runtime. Times are milliseconds since 1970. */
interface Entry {
  readonly lifecycle?: Lifecycle | undefined;
  readonly readAt?: number | undefined;
  readonly refusedAt?: number | undefined;
}

/** The lifecycles of runtimes, asked of AgentCore where it answers, and never a reason to fail. */
export class LifecycleCache {
  readonly #options: LifecycleCacheOptions;

  constructor(options: LifecycleCacheOptions) {
    this.#options = options;
  }

  /** Reads what is not known yet, in parallel, and returns what then is known of each. */
  async of(
    subjects: readonly LifecycleSubject[],
  ): Promise<(subject: LifecycleSubject) => Lifecycle> {
    const { file, timeoutMs = MAX_WAIT } = this.#options;
    const entries = await readEntries(file);
    const due = new Map(
      subjects
        .filter((subject) => this.#isDue(subject, entries.get(getKey(subject))))
        .map((subject) => [getKey(subject), subject]),
    );
    if (due.size > 0) {
      const abort = new AbortController();
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise((resolve) => {
        timer = setTimeout(resolve, timeoutMs);
      });
      const asked = [...due].map(async ([key, subject]) => {
        const entry = await this.#ask(subject, entries.get(key), abort.signal);
        if (entry && !abort.signal.aborted) entries.set(key, entry);
      });
      await Promise.race([Promise.all(asked), late]);
      clearTimeout(timer);
      abort.abort();
      await this.#keep(entries);
    }
    return (subject) => entries.get(getKey(subject))?.lifecycle ?? DEFAULT_LIFECYCLE;
  }

  #isDue({ endpoint }: LifecycleSubject, entry: Entry | undefined): boolean {
    // A local runtime is configured anew at any time, and answers at once.
    if (!entry || !isAwsEndpoint(endpoint)) return true;
    const age = (time: number | undefined) => this.#options.now() - (time ?? -Infinity);
    return age(entry.readAt) >= ANSWER_HOLDS && age(entry.refusedAt) >= REFUSAL_HOLDS;
  }

  /** What is known after asking; nothing where that did not say anything. */
  async #ask(
    subject: LifecycleSubject,
    before: Entry | undefined,
    signal: AbortSignal,
  ): Promise<Entry | undefined> {
    const { read, now } = this.#options;
    try {
      return { lifecycle: toLifecycle(await read(subject, signal)), readAt: now() };
    } catch (thrown) {
      // What was known once is nearer to the truth than a default.
      return isRefusal(thrown) ? { ...before, refusedAt: now() } : undefined;
    }
  }

  async #keep(entries: ReadonlyMap<string, Entry>): Promise<void> {
    const { file, now } = this.#options;
    const oldest = now() - FORGOTTEN_AFTER;
    const kept = [...entries].filter(
      ([, { readAt = 0, refusedAt = 0 }]) => Math.max(readAt, refusedAt) > oldest,
    );
    try {
      await ensurePrivateDirectory(dirname(file));
      await replaceFile(file, `${JSON.stringify(Object.fromEntries(kept))}\n`);
    } catch {
      // It is asked again next time.
    }
  }
}

/** Where it is AWS's own, and not that of a local runtime or somebody's gateway. */
export function isAwsEndpoint(endpoint: string): boolean {
  const host = URL.canParse(endpoint) ? new URL(endpoint).hostname : '';
  return /\.(amazonaws\.com(\.cn)?|api\.aws|api\.amazonwebservices\.com\.cn)$/.test(host);
}

function toLifecycle(configuration: LifecycleConfiguration = {}): Lifecycle {
  const { idleRuntimeSessionTimeout: idle, maxLifetime: max } = configuration;
  return {
    idleTimeout: idle === undefined ? DEFAULT_LIFECYCLE.idleTimeout : idle * SECOND,
    maxLifetime: max === undefined ? DEFAULT_LIFECYCLE.maxLifetime : max * SECOND,
    source: idle === undefined || max === undefined ? 'assumed' : 'runtime',
  };
}

function isRefusal(thrown: unknown): boolean {
  const { name, $metadata } = thrown as {
    readonly name?: string;
    readonly $metadata?: { readonly httpStatusCode?: number };
  };
  return name === 'AccessDeniedException' || $metadata?.httpStatusCode === 403;
}

/** The same runtime id may be served by AWS and by a local runtime. */
function getKey({ runtime, endpoint }: LifecycleSubject): string {
  return `${runtime} ${endpoint}`;
}

async function readEntries(file: string): Promise<Map<string, Entry>> {
  try {
    const parsed: unknown = JSON.parse(await readFile(file, 'utf8'));
    return new Map(Object.entries(parsed as object).filter(isEntry));
  } catch {
    // None yet, or broken: it is only what was read before.
    return new Map();
  }
}

function isEntry(pair: [string, unknown]): pair is [string, Entry] {
  const entry = pair[1] as Partial<Entry> | null;
  if (typeof entry !== 'object' || entry === null) return false;
  const { lifecycle, readAt, refusedAt } = entry;
  const isTime = (value: unknown) => value === undefined || typeof value === 'number';
  const isWhole =
    lifecycle === undefined ||
    (lifecycle.idleTimeout > 0 &&
      lifecycle.maxLifetime > 0 &&
      ['runtime', 'assumed'].includes(lifecycle.source));
  return isWhole && isTime(readAt) && isTime(refusedAt);
}
