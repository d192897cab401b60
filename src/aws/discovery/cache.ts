import { createHash } from 'node:crypto';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { ensurePrivateDirectory, replaceFile } from '../../base/files.ts';
import { gatewaySchema, runtimeSchema } from './model.ts';

const MAX_ENTRY_AGE_MS = 30 * 24 * 3_600_000;

const MAX_FILES = 200;

const MAX_CACHE_BYTES = 20_000_000;

const readingFields = {
  /** Milliseconds since 1970. */
  readAt: z.number(),
  /** True if it was read completely, without any problem. */
  isWhole: z.boolean(),
};

const entrySchema = z.object({
  /** The format version of this file. */
  format: z.literal(1),
  account: z.string(),
  region: z.string(),
  /** The control plane's URL. A local control plane has other runtimes. */
  endpoint: z.string(),
  /** Two profiles of one account may have different permissions. */
  profile: z.string().optional(),
  role: z.string().optional(),
  runtimes: z
    .object({ ...readingFields, hasVersions: z.boolean(), items: z.array(runtimeSchema) })
    .optional(),
  gateways: z.object({ ...readingFields, items: z.array(gatewaySchema) }).optional(),
});

/** The cached results for one account, region and identity. */
export type CacheEntry = Readonly<z.output<typeof entrySchema>>;

/** The members that identify an entry and its file. */
export type CacheKey = Pick<CacheEntry, 'account' | 'region' | 'endpoint' | 'profile' | 'role'>;

/**
 * Cached results, one file for each account, region and identity, in a directory private to the
 * user.
 */
export class DiscoveryCache {
  readonly #folder: string;
  readonly #now: () => number;

  constructor(folder: string, now: () => number) {
    this.#folder = folder;
    this.#now = now;
  }

  /** Returns the entry, or `undefined` if its file is missing or invalid. */
  async read(key: CacheKey): Promise<CacheEntry | undefined> {
    const entry = await readEntry(this.#getPath(key));
    return entry && isEntryFor(entry, key) ? entry : undefined;
  }

  /** Returns the newest matching entry if the account could not be determined. */
  async readAnyAccount(key: Omit<CacheKey, 'account'>): Promise<CacheEntry | undefined> {
    let newest: CacheEntry | undefined;
    for (const path of await this.#files()) {
      const entry = await readEntry(path);
      if (!entry || !isEntryFor(entry, { ...key, account: entry.account })) continue;
      if (!newest || getLastReadAt(entry) > getLastReadAt(newest)) newest = entry;
    }
    return newest;
  }

  /** Ignores failures: the next discovery reads the data again. */
  async write(entry: CacheEntry): Promise<void> {
    try {
      await ensurePrivateDirectory(this.#folder);
      await replaceFile(this.#getPath(entry), `${JSON.stringify(entry)}\n`);
      await this.#forget();
    } catch {
      // For example a full disk, or a directory of another user.
    }
  }

  #getPath({ account, region, endpoint, profile = '', role = '' }: CacheKey): string {
    const key = JSON.stringify([account, region, endpoint, profile, role]);
    const name = createHash('sha256').update(key).digest('hex').slice(0, 32);
    return join(this.#folder, `${name}.json`);
  }

  async #files(): Promise<string[]> {
    const names = await readdir(this.#folder).catch((): string[] => []);
    return names
      .filter((name) => /^[0-9a-f]{32}\.json$/.test(name))
      .map((name) => join(this.#folder, name));
  }

  async #forget(): Promise<void> {
    const files = await Promise.all(
      (await this.#files()).map(async (path) => {
        const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: 0 }));
        return { path, mtimeMs };
      }),
    );
    files.sort((one, other) => other.mtimeMs - one.mtimeMs);
    const oldest = this.#now() - MAX_ENTRY_AGE_MS;
    const old = files.filter(({ mtimeMs }, index) => index >= MAX_FILES || mtimeMs < oldest);
    await Promise.all(old.map(({ path }) => rm(path, { force: true })));
  }
}

async function readEntry(path: string): Promise<CacheEntry | undefined> {
  try {
    if ((await stat(path)).size > MAX_CACHE_BYTES) return undefined;
    const parsed = entrySchema.safeParse(JSON.parse(await readFile(path, 'utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch {
    // The file is missing or corrupt. The data can be read again.
    return undefined;
  }
}

function isEntryFor(entry: CacheEntry, key: CacheKey): boolean {
  return (
    entry.account === key.account &&
    entry.region === key.region &&
    entry.endpoint === key.endpoint &&
    entry.profile === key.profile &&
    entry.role === key.role
  );
}

function getLastReadAt({ runtimes, gateways }: CacheEntry): number {
  return Math.max(runtimes?.readAt ?? 0, gateways?.readAt ?? 0);
}
