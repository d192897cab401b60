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
import { AgentCoreError, messageOf } from '../../error.ts';
import {
  type Addition,
  addLine,
  count,
  headLine,
  readLine,
  sealLine,
  type Tallies,
} from './counter-lines.ts';

/** More counters than a policy has; beyond them nothing can be counted, and so nothing is allowed. */
const MOST_COUNTERS = 10_000;
/** Counters that are kept although their windows are over. */
const MIN_KEPT_COUNTERS = 100;
/** Bytes after which a file is replaced by what it adds up to. */
const LONGEST_FILE = 256 * 1024;
const MOST_TRIES = 100;

/**
 * The counters of one subject, in a file that any number of processes append to. Lines that are
 * appended have one order for all who read them, so whoever adds a line, reads up to it and finds
 * the limit kept has that amount: no lock, no waiting, and nothing to be cleared up after a process
 * that was killed. A file that has become long is sealed, and its sum begins the next one.
 */
export class CounterLog {
  readonly #folder: string;
  readonly #name: string;
  readonly #now: () => number;
  readonly #writer = randomBytes(6).toString('base64url');
  #lines = 0;
  #open: OpenFile | undefined;

  /** @param name Of the files, without generation and ending. */
  constructor(folder: string, name: string, now: () => number) {
    this.#folder = folder;
    this.#name = name;
    this.#now = now;
  }

  /**
   * What has been counted so far.
   *
   * @throws {AgentCoreError} `config` where the file cannot be understood: nobody knows then what was
   *   used up.
   */
  read(): Tallies {
    return this.#guarded(() => {
      for (let tries = 0; tries < MOST_TRIES; tries++) {
        const file = this.#current();
        file.readOn();
        if (!file.isSealed && file.isInPlace) return file.tallies;
        this.#leave(file);
      }
      throw new Error('others replace it all the time');
    });
  }

  /**
   * What is known to have been counted: what others have counted since this process looked last is
   * not in it. Throws as {@link read}.
   */
  known(): Tallies {
    const file = this.#open;
    return file && !file.isSealed ? file.tallies : this.read();
  }

  /**
   * Counts.
   *
   * @returns the counters right behind the line, whatever others wrote after it. Throws as
   *   {@link read}.
   */
  add(additions: readonly Addition[]): Tallies {
    return this.#guarded(() => {
      const id = `${this.#writer}${this.#lines++}`;
      const line = Buffer.from(addLine(id, additions));
      for (let tries = 0; tries < MOST_TRIES; tries++) {
        const file = this.#current();
        if (!file.isSealed) {
          append(file.descriptor, line);
          const landed = file.readOn({ id, additions, bytes: line.length });
          if (landed && landed.size > MOST_COUNTERS) {
            throw new Error(`it has more than ${MOST_COUNTERS} counters`);
          }
          if (landed && (file.isInPlace || file.isSealed)) {
            if (file.offset > LONGEST_FILE && !file.isSealed) {
              append(file.descriptor, Buffer.from(sealLine(this.#now())));
            }
            return landed;
          }
          if (file.isInPlace && !file.isSealed) {
            throw new Error('what was written to it is not there');
          }
        }
        // The line came behind a seal, or into a file that was removed, where it does not count.
        this.#leave(file);
      }
      throw new Error('others replace it all the time');
    });
  }

  /** From a file that is sealed to the next one, from one that somebody removed to what is there now. */
  #leave(file: OpenFile): void {
    if (file.isSealed) this.#goOn(file);
    else this.#close();
  }

  /** Everybody who reads the seal makes the same next file of it; the first one's is taken. */
  #goOn(file: OpenFile): void {
    const next = file.generation + 1;
    if ((this.#newest() ?? 0) < next) {
      const latest = [...file.tallies].sort(([, one], [, other]) => other.until - one.until);
      // By a clock that is fast, all others would be over.
      const live = new Map(
        latest.filter(([, { until }], at) => at < MIN_KEPT_COUNTERS || until > file.sealedAt),
      );
      create(this.#path(next), headLine(live));
      // Whoever was slow enough for the others to be beyond it has made one that is over.
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
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      if (this.#newest() === undefined) create(this.#path(0), headLine(new Map()));
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
      // A first one that was made when the others had long gone on.
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

  /** After a failure all is read anew: the file may have been mended or removed. */
  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      const path = this.#path(this.#open?.generation ?? this.#newest() ?? 0);
      this.#close();
      throw new AgentCoreError(
        'config',
        `The counters of the policy in ${path} cannot be used: ${messageOf(cause)}. Remove the file to begin to count anew`,
        { cause },
      );
    }
  }
}

/** A line of this process's own. */
interface OwnLine {
  readonly id: string;
  readonly additions: readonly Addition[];
  readonly bytes: number;
}

/** A file of the log, as far as it has been read. */
class OpenFile {
  readonly generation: number;
  readonly descriptor: number;
  offset = 0;
  tallies: Tallies = new Map();
  sealedAt = 0;
  isSealed = false;
  /**
   * False once it was removed: by whoever went on first, and then it is sealed, or by somebody who
   * wants to count anew.
   */
  isInPlace = true;
  #hasHead = false;

  constructor(descriptor: number, generation: number) {
    this.descriptor = descriptor;
    this.generation = generation;
  }

  /**
   * Whole lines alone are taken; one that somebody is writing comes the next time.
   *
   * @param own What was just appended.
   * @returns the counters right behind the line `own`, where that has come.
   */
  readOn(own?: OwnLine): Tallies | undefined {
    if (this.isSealed) return undefined;
    const { size, nlink } = fstatSync(this.descriptor);
    this.isInPlace = nlink > 0;
    if (size < this.offset) throw new Error('it has become shorter');
    if (size === this.offset && this.#hasHead) return undefined;
    if (own && size === this.offset + own.bytes && this.#hasHead) {
      // Nothing else has come: there is no need to read what one has written.
      count(this.tallies, own.additions);
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
    const line = readLine(text);
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
      count(this.tallies, line.add);
      onAdded(line.id);
    }
  }
}

function append(descriptor: number, line: Buffer): void {
  if (writeSync(descriptor, line) < line.length) throw new Error('the disk is full');
}

/** With its first line at once, or not at all where somebody else was first. */
function create(path: string, head: string): void {
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    writeFileSync(aside, head, { mode: 0o600, flag: 'wx' });
    linkSync(aside, path);
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    // Where there are no hard links, whoever comes second may find the line half written.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw thrown;
    writeFileSync(path, head, { mode: 0o600, flag: 'a' });
  } finally {
    rmSync(aside, { force: true });
  }
}
