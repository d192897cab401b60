import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { LifecycleConfiguration } from '../aws/sdk-client.ts';
import { isAccessDeniedError } from '../aws/sdk-errors.ts';
import { waitUntilSettled } from '../base/async.ts';
import { ensurePrivateDirectory, replaceFile } from '../base/files.ts';
import type { SessionOrigin } from '../state/journal/records.ts';

/** Timeouts of a runtime's sessions, in milliseconds. Source: `GetAgentRuntime`. */
export interface Lifecycle {
  /** Counts from the last use. */
  readonly idleTimeout: number;
  /** Counts from the start, even if the session is busy. */
  readonly maxLifetime: number;
  /** `assumed` if at least one timeout is AgentCore's default and was not read from the runtime. */
  readonly source: 'runtime' | 'assumed';
}

const SECOND = 1000;

const HOUR = 3600 * SECOND;

/** AgentCore's defaults: 15 minutes idle, 8 hours in total. */
export const DEFAULT_LIFECYCLE: Lifecycle = {
  idleTimeout: 900 * SECOND,
  maxLifetime: 28_800 * SECOND,
  source: 'assumed',
};

/** The runtime of a session, and the profile and role to read it. */
export type LifecycleSubject = Pick<
  SessionOrigin,
  'runtime' | 'endpoint' | 'profile' | 'assumeRole'
>;

interface LifecycleCacheOptions {
  /** Path of the JSON file, shared by all programs. Created if it is missing. */
  readonly file: string;
  /** Calls `GetAgentRuntime`. Rejects as the SDK client does. */
  readonly read: (
    subject: LifecycleSubject,
    signal: AbortSignal,
  ) => Promise<LifecycleConfiguration | undefined>;
  readonly now: () => number;
  /** Timeout for all reads of one `of` call together, in milliseconds. */
  readonly timeoutMs?: number;
}

/** Default of `timeoutMs`. Loading the AWS client alone takes seconds on a busy machine. */
const READ_TIMEOUT_MS = 5 * SECOND;

/** Milliseconds until a lifecycle is read again. */
const LIFECYCLE_TTL_MS = 24 * HOUR;

/** Milliseconds until the next attempt after AgentCore denied access. */
const ACCESS_DENIED_TTL_MS = HOUR;

/** Maximum age of an entry in the file. Sessions live 14 days at most. */
const MAX_ENTRY_AGE_MS = 30 * 24 * HOUR;

/** The cached facts about one runtime. Times are milliseconds since 1970. */
interface Entry {
  readonly lifecycle?: Lifecycle | undefined;
  readonly readAt?: number | undefined;
  readonly refusedAt?: number | undefined;
}

/**
 * Reads the lifecycles of runtimes from AgentCore and caches them on disk. Failures are ignored:
 * they lead to an older value or the default.
 */
export class LifecycleCache {
  readonly #options: LifecycleCacheOptions;

  constructor(options: LifecycleCacheOptions) {
    this.#options = options;
  }

  /**
   * Reads missing and outdated lifecycles in parallel. Returns a look-up by session. Its default is
   * {@link DEFAULT_LIFECYCLE}. Never rejects.
   */
  async resolve(
    subjects: readonly LifecycleSubject[],
  ): Promise<(subject: LifecycleSubject) => Lifecycle> {
    const { file, timeoutMs = READ_TIMEOUT_MS } = this.#options;
    const entries = await readEntries(file);
    const due = new Map(
      subjects
        .filter((subject) => this.#isDue(subject, entries.get(getKey(subject))))
        .map((subject) => [getKey(subject), subject]),
    );
    if (due.size > 0) {
      const abort = new AbortController();
      const asked = [...due].map(async ([key, subject]) => {
        const entry = await this.#ask(subject, entries.get(key), abort.signal);
        if (entry && !abort.signal.aborted) entries.set(key, entry);
      });
      await waitUntilSettled(Promise.all(asked), timeoutMs);
      abort.abort();
      await this.#keep(entries);
    }
    return (subject) => entries.get(getKey(subject))?.lifecycle ?? DEFAULT_LIFECYCLE;
  }

  #isDue({ endpoint }: LifecycleSubject, entry: Entry | undefined): boolean {
    // The configuration of a local runtime may change at any time, and reading it is fast.
    if (!entry || !isAwsEndpoint(endpoint)) return true;
    const age = (time: number | undefined) => this.#options.now() - (time ?? -Infinity);
    return age(entry.readAt) >= LIFECYCLE_TTL_MS && age(entry.refusedAt) >= ACCESS_DENIED_TTL_MS;
  }

  /** Reads one lifecycle. Returns `undefined` if the failure does not concern access rights. */
  async #ask(
    subject: LifecycleSubject,
    before: Entry | undefined,
    signal: AbortSignal,
  ): Promise<Entry | undefined> {
    const { read, now } = this.#options;
    try {
      return { lifecycle: toLifecycle(await read(subject, signal)), readAt: now() };
    } catch (thrown) {
      // If access is denied now, an older lifecycle is still better than the default.
      return isAccessDeniedError(thrown) ? { ...before, refusedAt: now() } : undefined;
    }
  }

  async #keep(entries: ReadonlyMap<string, Entry>): Promise<void> {
    const { file, now } = this.#options;
    const oldest = now() - MAX_ENTRY_AGE_MS;
    const kept = [...entries].filter(
      ([, { readAt = 0, refusedAt = 0 }]) => Math.max(readAt, refusedAt) > oldest,
    );
    try {
      await ensurePrivateDirectory(dirname(file));
      await replaceFile(file, `${JSON.stringify(Object.fromEntries(kept))}\n`);
    } catch {
      // Without the file, the next program reads the lifecycles again.
    }
  }
}

/** True if the URL's host belongs to AWS, false for a local runtime or any other host. */
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

/** Contains the endpoint, because AWS and a local runtime may both serve the same ARN. */
function getKey({ runtime, endpoint }: LifecycleSubject): string {
  return `${runtime} ${endpoint}`;
}

async function readEntries(file: string): Promise<Map<string, Entry>> {
  try {
    const parsed: unknown = JSON.parse(await readFile(file, 'utf8'));
    return new Map(Object.entries(parsed as object).filter(isEntry));
  } catch {
    // The file is missing or damaged. It is only a cache.
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
