import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { LruCache } from '../../base/cache.ts';
import { checkOwnFolder } from '../../base/environment.ts';
import { AgentCoreError, getErrorMessage } from '../../base/errors.ts';
import { isObject } from '../../mcp/message.ts';
import {
  type Addition,
  applyAdditions,
  type CounterGroup,
  type CounterStore,
  type Tallies,
  type Tally,
} from '../counters.ts';

/** Milliseconds after the last write until every window of a file has ended: two months. */
const FILE_TTL_MS = 63 * 86_400_000;

/** Minimum files to keep, regardless of age. */
const MIN_KEPT_FILES = 500;

/** Maximum open logs of one process. Above its usual number: session, identities, and all. */
const MAX_LOGS = 100;

/** Counters in files, one per group, shared by all programs of the user. They survive restarts. */
export class CounterFiles implements CounterStore {
  readonly #folder: string;
  readonly #now: () => number;
  /** By scope and id. */
  readonly #logs = new LruCache<CounterLog>(MAX_LOGS, () => 1);
  #isReady = false;

  /** @param folder Created if missing. */
  constructor(folder: string, now: () => number = Date.now) {
    this.#folder = folder;
    this.#now = now;
  }

  read(group: CounterGroup): Tallies {
    return this.#open(group).read();
  }

  readCached(group: CounterGroup): Tallies {
    return this.#open(group).known();
  }

  add(group: CounterGroup, additions: readonly Addition[]): Tallies {
    return this.#open(group).add(additions);
  }

  #open({ scope, id }: CounterGroup): CounterLog {
    this.#prepare();
    const key = `${scope} ${id}`;
    const known = this.#logs.get(key);
    if (known) return known;
    const hash = createHash('sha256').update(id).digest('hex').slice(0, 32);
    const name = scope === 'global' ? 'global' : `${scope}-${hash}`;
    const log = new CounterLog(this.#folder, name, this.#now);
    this.#logs.set(key, log);
    return log;
  }

  /** Once per process, creates the folder and removes expired files. */
  #prepare(): void {
    if (this.#isReady) return;
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    checkOwnFolder(this.#folder, statSync(this.#folder));
    const files = readdirSync(this.#folder)
      .filter((name) => /^(session|grant)-/.test(name))
      .map((name) => join(this.#folder, name))
      .map((path) => ({ path, written: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
      .toSorted((one, other) => other.written - one.written);
    // Keep the latest files in any case: if the clock is ahead, all files appear expired.
    for (const { path, written } of files.slice(MIN_KEPT_FILES)) {
      if (this.#now() - written > FILE_TTL_MS) rmSync(path, { force: true });
    }
    this.#isReady = true;
  }
}

/** Maximum counters in a file, more than any policy has. Beyond this, calls are denied. */
const MAX_COUNTERS = 10_000;

/** Minimum counters to carry into the next file, even if their windows have ended. */
const MIN_KEPT_COUNTERS = 100;

/** Maximum bytes of a file. A longer one is replaced by a new file with the totals. */
const MAX_FILE_BYTES = 256 * 1024;

/** Maximum attempts if other processes replace the file at the same time. */
const MAX_TRIES = 100;

/**
 * The counters of one subject, in a file shared by several processes. All readers see the appended
 * lines in the same order. A process adds a line and reads up to it. If the limit still holds
 * there, the process has the amount. This needs no lock, and a killed process leaves nothing to
 * clean up. A long file is sealed, and its totals start the next file.
 */
class CounterLog {
  readonly #folder: string;
  readonly #name: string;
  readonly #now: () => number;
  readonly #writer = randomBytes(6).toString('base64url');
  #lines = 0;
  #open: OpenFile | undefined;

  /** @param name Base name of the files, without generation and extension. */
  constructor(folder: string, name: string, now: () => number) {
    this.#folder = folder;
    this.#name = name;
    this.#now = now;
  }

  /**
   * The current counts.
   *
   * @throws {AgentCoreError} `config` if the file is invalid, because earlier use is then unknown.
   */
  read(): Tallies {
    return this.#guarded(() => {
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const file = this.#current();
        file.readOn();
        if (!file.isSealed && file.isInPlace) return file.tallies;
        this.#leave(file);
      }
      throw new Error('others replace it all the time');
    });
  }

  /**
   * The counts of the last read, possibly without recent counts of other processes. Throws like
   * `read`.
   */
  known(): Tallies {
    const file = this.#open;
    return file && !file.isSealed ? file.tallies : this.read();
  }

  /**
   * Adds amounts.
   *
   * @returns the counts directly after the new line, without later lines of other processes. Throws
   *   like `read`.
   */
  add(additions: readonly Addition[]): Tallies {
    return this.#guarded(() => {
      const id = `${this.#writer}${this.#lines++}`;
      const line = Buffer.from(addLine(id, additions));
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const file = this.#current();
        if (!file.isSealed) {
          append(file.descriptor, line);
          const landed = file.readOn({ id, additions, bytes: line.length });
          if (landed && landed.size > MAX_COUNTERS) {
            throw new Error(`it has more than ${MAX_COUNTERS} counters`);
          }
          if (landed && (file.isInPlace || file.isSealed)) {
            if (file.offset > MAX_FILE_BYTES && !file.isSealed) {
              append(file.descriptor, Buffer.from(serializeSeal(this.#now())));
            }
            return landed;
          }
          if (file.isInPlace && !file.isSealed) {
            throw new Error('what was written to it is not there');
          }
        }
        // The line does not count: it came after a seal, or into a removed file.
        this.#leave(file);
      }
      throw new Error('others replace it all the time');
    });
  }

  /** Leaves a sealed file for the next one, or a removed file for the current one. */
  #leave(file: OpenFile): void {
    if (file.isSealed) this.#goOn(file);
    else this.#close();
  }

  /**
   * Creates the next file. All processes derive the same content from the seal, and the first one
   * wins.
   */
  #goOn(file: OpenFile): void {
    const next = file.generation + 1;
    if ((this.#newest() ?? 0) < next) {
      const latest = [...file.tallies].sort(([, one], [, other]) => other.until - one.until);
      // With a fast clock, all other counters would appear expired.
      const live = new Map(
        latest.filter(([, { until }], at) => at < MIN_KEPT_COUNTERS || until > file.sealedAt),
      );
      create(this.#path(next), serializeHead(live));
      // The other processes may already be further, so this file would be obsolete.
      if ((this.#newest() ?? 0) > next) rmSync(this.#path(next), { force: true });
    }
    this.#close();
    rmSync(this.#path(file.generation), { force: true });
  }

  #current(): OpenFile {
    this.#open ??= this.#openNewest();
    return this.#open;
  }

  #openNewest(): OpenFile {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      if (this.#newest() === undefined) create(this.#path(0), serializeHead(new Map()));
      const generation = this.#newest();
      if (generation === undefined) continue;
      const path = this.#path(generation);
      let descriptor: number;
      try {
        descriptor = openSync(path, constants.O_RDWR | constants.O_APPEND);
      } catch (thrown) {
        if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') continue;
        throw thrown;
      }
      if (this.#newest() === generation) return new OpenFile(descriptor, generation);
      closeSync(descriptor);
      // An obsolete first file, created after other processes had moved on.
      if (generation === 0) rmSync(path, { force: true });
    }
    throw new Error('others replace it all the time');
  }

  #newest(): number | undefined {
    const generations = readdirSync(this.#folder).flatMap((name) => {
      const [own, generation, ending, more] = name.split('.');
      const isOne = own === this.#name && ending === 'log' && more === undefined;
      return isOne && /^\d+$/.test(generation ?? '') ? Number(generation) : [];
    });
    return generations.length > 0 ? Math.max(...generations) : undefined;
  }

  #path(generation: number): string {
    return join(this.#folder, `${this.#name}.${generation}.log`);
  }

  #close(): void {
    if (this.#open) closeSync(this.#open.descriptor);
    this.#open = undefined;
  }

  /** After a failure, reads everything again: the file may have been repaired or removed. */
  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      const path = this.#path(this.#open?.generation ?? this.#newest() ?? 0);
      this.#close();
      throw new AgentCoreError(
        'config',
        `The counters of the policy in ${path} cannot be used: ${getErrorMessage(cause)}. Remove the file to begin to count anew`,
        { cause },
      );
    }
  }
}

/** A line of this process. */
interface OwnLine {
  readonly id: string;
  readonly additions: readonly Addition[];
  readonly bytes: number;
}

/** An open file of the log and its content up to `offset`. */
class OpenFile {
  readonly generation: number;
  readonly descriptor: number;
  offset = 0;
  tallies: Tallies = new Map();
  sealedAt = 0;
  isSealed = false;
  /**
   * False once the file is removed: either it was sealed and replaced, or a user removed it to
   * reset the counts.
   */
  isInPlace = true;
  #hasHead = false;

  constructor(descriptor: number, generation: number) {
    this.descriptor = descriptor;
    this.generation = generation;
  }

  /**
   * Reads complete lines only. If the last line is incomplete, it is read next time.
   *
   * @param own The line just appended.
   * @returns the counts directly after the line `own`, if it was found.
   */
  readOn(own?: OwnLine): Tallies | undefined {
    if (this.isSealed) return undefined;
    const { size, nlink } = fstatSync(this.descriptor);
    this.isInPlace = nlink > 0;
    if (size < this.offset) throw new Error('it has become shorter');
    if (size === this.offset && this.#hasHead) return undefined;
    if (own && size === this.offset + own.bytes && this.#hasHead) {
      // Fast path: only the own line is new, so there is no need to read it.
      applyAdditions(this.tallies, own.additions);
      this.offset = size;
      return this.tallies;
    }
    const bytes = Buffer.allocUnsafe(size - this.offset);
    const read = readSync(this.descriptor, bytes, 0, bytes.length, this.offset);
    let landed: Tallies | undefined;
    for (let start = 0; !this.isSealed; ) {
      const end = bytes.subarray(0, read).indexOf(0x0a, start);
      if (end < 0) break;
      this.#take(bytes.toString('utf8', start, end), (line) => {
        if (line === own?.id) landed = new Map(this.tallies);
      });
      this.offset += end + 1 - start;
      start = end + 1;
    }
    if (!this.#hasHead) throw new Error('it holds no counters');
    return landed;
  }

  #take(text: string, onAdded: (id: string) => void): void {
    const line = parseLine(text);
    if (!line || 'head' in line !== !this.#hasHead) {
      throw new Error(`the line at byte ${this.offset} cannot be understood`);
    }
    if ('head' in line) {
      this.tallies = line.head;
      this.#hasHead = true;
    } else if ('seal' in line) {
      this.sealedAt = line.seal;
      this.isSealed = true;
    } else {
      applyAdditions(this.tallies, line.add);
      onAdded(line.id);
    }
  }
}

function append(descriptor: number, line: Buffer): void {
  if (writeSync(descriptor, line) < line.length) throw new Error('the disk is full');
}

/** Creates a file with its first line atomically. Does nothing if the file exists. */
function create(path: string, head: string): void {
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    writeFileSync(aside, head, { mode: 0o600, flag: 'wx' });
    linkSync(aside, path);
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    // Without hard links, a second process may read a partial first line.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw thrown;
    writeFileSync(path, head, { mode: 0o600, flag: 'a' });
  } finally {
    rmSync(aside, { force: true });
  }
}

/**
 * A line of a counter file. `head` is the first line, with all earlier counts. `add` applies
 * completely or not at all. After `seal`, the file ends and the next file continues.
 */
type CounterLine =
  | { readonly head: Tallies }
  | { readonly id: string; readonly add: readonly Addition[] }
  | { readonly seal: number };

function serializeHead(tallies: Tallies): string {
  return `${JSON.stringify({ format: 1, head: Object.fromEntries(tallies) })}\n`;
}

function addLine(id: string, additions: readonly Addition[]): string {
  const add = additions.map(({ key, slice, amount, until }) => [key, slice, amount, until]);
  return `${JSON.stringify({ id, add })}\n`;
}

/** @param now Counters expired before this time are not carried over. */
function serializeSeal(now: number): string {
  return `${JSON.stringify({ seal: now })}\n`;
}

/** `undefined` if the line is invalid. */
function parseLine(text: string): CounterLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(value)) return undefined;
  if (isCount(value.seal)) return { seal: Number(value.seal) };
  if (value.format === 1 && isObject(value.head)) {
    const entries = Object.entries(value.head);
    return entries.every((entry): entry is [string, Tally] => isTally(entry[1]))
      ? { head: new Map(entries) }
      : undefined;
  }
  if (typeof value.id !== 'string' || !Array.isArray(value.add)) return undefined;
  const add = (value.add as unknown[]).map(readAddition);
  return add.every((one) => one !== undefined) ? { id: value.id, add } : undefined;
}

function readAddition(value: unknown): Addition | undefined {
  if (!Array.isArray(value)) return undefined;
  const [key, slice, amount, until] = value as unknown[];
  if (typeof key !== 'string' || typeof amount !== 'number' || !Number.isFinite(amount)) return;
  if (!isCount(slice) || !isCount(until)) return undefined;
  return { key, slice: Number(slice), amount, until: Number(until) };
}

function isTally(value: unknown): value is Tally {
  if (!isObject(value) || !isCount(value.until) || !Array.isArray(value.slices)) return false;
  return (value.slices as unknown[]).every(
    (slice) =>
      Array.isArray(slice) && (slice.length === 2 || slice.length === 3) && slice.every(isCount),
  );
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
