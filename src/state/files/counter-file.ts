import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { AgentCoreError, getErrorMessage } from '../../base/errors.ts';
import { isObject } from '../../mcp/message.ts';

/** The counters of policy limits: their time slices, and their files shared by processes. */

/**
 * Amounts by time slice, oldest first. A fixed window is one slice, numbered by its start. A
 * sliding window is divided into {@link SLICES}. A slice counts until its end has left the window,
 * so the limit is never exceeded within it.
 */
export interface Tally {
  readonly slices: readonly Slice[];
  /** Milliseconds since 1970 at which all slices expire. */
  readonly until: number;
}

/**
 * `seenIn` is set if a clock showed an earlier time than the slice: this clock is slow, or the
 * clock of the count was fast. The slice then counts for one window from `seenIn` on, and again at
 * its own time.
 */
type Slice = readonly [slice: number, amount: number, seenIn?: number];

/** Number of slices of a sliding window. */
export const SLICES = 60;

/** Older slices are outside every window. */
const MAX_SLICES = SLICES + 4;

/** The tally of a counter without amounts. */
export const EMPTY_TALLY: Tally = { slices: [], until: 0 };

/**
 * Adds an amount to a slice. A negative amount takes back an earlier one.
 *
 * @param slice For a positive amount, the slice of the current time.
 * @param until Milliseconds since 1970 at which the slice expires.
 */
export function withAmount(tally: Tally, slice: number, amount: number, until: number): Tally {
  const latest = tally.slices.at(-1);
  const longest = Math.max(tally.until, until);
  // Fast path: almost every call counts into the latest slice.
  if (latest?.[0] === slice) {
    return { slices: tally.slices.with(-1, withMore(latest, amount)), until: longest };
  }
  const own = tally.slices.find(([at]) => at === slice) ?? ([slice, 0] as const);
  const past = tally.slices.filter(([at]) => at < slice);
  const ahead = tally.slices
    .filter(([at]) => at > slice)
    // A negative amount goes to the slice of the original count, so `slice` is not the current
    // time.
    .map((one) => (amount < 0 ? one : withFirstSeen(one, slice)));
  const slices = [...past.slice(-MAX_SLICES), withMore(own, amount), ...limitSlices(ahead)];
  return { slices, until: longest };
}

function withMore([slice, amount, seenIn]: Slice, more: number): Slice {
  const sum = Math.max(0, amount + more);
  return seenIn === undefined ? [slice, sum] : [slice, sum, seenIn];
}

function withFirstSeen([slice, amount, seenIn = slice]: Slice, present: number): Slice {
  return [slice, amount, Math.min(seenIn, present)];
}

/**
 * Limits the slices in the future. There are many only if a clock is repeatedly fast. The surplus
 * moves into a later slice, so it counts longer, never shorter.
 */
function limitSlices(slices: readonly Slice[]): readonly Slice[] {
  const more = slices.slice(0, -MAX_SLICES);
  const [first, ...others] = slices.slice(-MAX_SLICES);
  if (!first || more.length === 0) return slices;
  return [
    withMore(
      first,
      more.reduce((sum, [, amount]) => sum + amount, 0),
    ),
    ...others,
  ];
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
export class CounterLog {
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

/** Counters by key. */
export type Tallies = Map<string, Tally>;

/**
 * An amount to add to a slice of a counter. A negative amount takes it back. 0 only records the
 * current time.
 */
export interface Addition {
  readonly key: string;
  readonly slice: number;
  readonly amount: number;
  readonly until: number;
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

/** Adds the amounts of a line. */
function applyAdditions(tallies: Tallies, additions: readonly Addition[]): void {
  for (const { key, slice, amount, until } of additions) {
    tallies.set(key, withAmount(tallies.get(key) ?? EMPTY_TALLY, slice, amount, until));
  }
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
