import { randomBytes } from 'node:crypto';
import * as nodeFiles from 'node:fs/promises';
import { waitUntilSettled, withTimeout } from '../../base/async.ts';
import { getErrorMessage } from '../../base/errors.ts';
import { hasEnded, isEnd, reduceCall, reduceSession } from './fold.ts';
import { createProgramRecord, getHostView, HEARTBEAT } from './processes.ts';
import {
  isSessionRecord,
  type JournalRecord,
  MAX_LIFETIME,
  type SessionCarried,
  type SessionFacts,
  serializeRecord,
} from './records.ts';
import { sanitizeRecord } from './sanitize.ts';
import {
  createRunName,
  type FileSystem,
  getPartPath,
  prepareFolder,
  SegmentFile,
} from './segment.ts';

/** Options of {@link JournalWriter}. */
export interface JournalWriterOptions {
  /** The folder of all programs' files. Created if missing. */
  readonly folder: string;
  /** The writing program: `proxy`, `cli`, `extension`. */
  readonly program: string;
  readonly version: string;
  /** The display name, if it has one. */
  readonly name?: string | undefined;
  /** Called with a message for the user at the first failed write. */
  readonly onFailure: (sentence: string) => void;
  /** Maximum growth of a file in bytes before a new one starts. */
  readonly partBytes?: number;
  readonly now?: () => Date;
  /** In milliseconds. */
  readonly heartbeat?: number;
  readonly files?: FileSystem;
  /** Maximum milliseconds that `recordNow` waits for the disk. */
  readonly maxWaitMs?: number;
  /** Milliseconds from the first write to the removal of old files. */
  readonly pruneAfter?: number;
}

/** Maximum milliseconds to collect records for one write. */
const FLUSH_AFTER = 200;

/** Characters after which no further line joins a write. */
const BATCH = 1024 * 1024;

/**
 * Maximum milliseconds that an invoke waits for the record of its session. A busy disk or processor
 * can take more than a second. If the program is killed before the write, the session is lost. A
 * blocked disk must not delay calls any longer.
 */
const MAX_WAIT_MS = 5_000;

/** Maximum milliseconds to close. Clients kill a program that ends too slowly. */
const MAX_CLOSE_MS = 1_000;

/**
 * Records the sessions, calls and errors of this process in its own files. Never throws: without a
 * working disk the program continues, and pending records are written when the disk recovers.
 */
export class JournalWriter {
  readonly folder: string;
  readonly #options: Required<Omit<JournalWriterOptions, 'name'>> &
    Pick<JournalWriterOptions, 'name'>;
  readonly #run: string;
  readonly #buffer = new WriteBuffer();
  readonly #sessions = new OpenSessions();
  #part: SegmentFile | undefined;
  #nextPart = 0;
  /** True from a failed write until a new part is started. */
  #isFailing = false;
  #hasComplained = false;
  #isClosed = false;
  #isWorking = false;
  #work: Promise<void> = Promise.resolve();
  #isBeatDue = false;
  #flushing: NodeJS.Timeout | undefined;
  #beating: NodeJS.Timeout | undefined;
  #pruning: NodeJS.Timeout | undefined;

  constructor(options: JournalWriterOptions) {
    this.#options = {
      partBytes: 4 * 1024 * 1024,
      now: () => new Date(),
      heartbeat: HEARTBEAT,
      files: nodeFiles,
      maxWaitMs: MAX_WAIT_MS,
      pruneAfter: 5_000,
      ...options,
    };
    this.folder = options.folder;
    const startedAt = new Date(performance.timeOrigin);
    this.#run = createRunName(startedAt, process.pid, randomBytes(3).toString('hex'));
  }

  /** Queues the record. It is written soon and in order. */
  record(record: JournalRecord): void {
    if (this.#isClosed) return;
    this.#buffer.add(sanitizeRecord(record));
    if (this.#isWorking || this.#isFailing) return;
    if (this.#buffer.characters > BATCH) void this.#kick();
    else this.#flushing ??= setTimeout(() => void this.#kick(), FLUSH_AFTER).unref();
  }

  /**
   * Resolves when the record and all earlier ones would survive the end of this process. Also
   * resolves after a failed write or after `maxWaitMs`, because no caller should wait for a broken
   * disk. The record is still written when the disk recovers.
   */
  async recordNow(record: JournalRecord): Promise<void> {
    if (this.#isClosed) return;
    const { maxWaitMs } = this.#options;
    const written = new Promise<void>((resolve) => {
      this.#buffer.add(sanitizeRecord(record), resolve);
      void this.#kick();
    });
    const complain = () => this.#complain(`it has not answered for ${maxWaitMs} ms`);
    await withTimeout(written, maxWaitMs, complain).catch(() => undefined);
  }

  /** Writes pending records and closes the file, within one second. Ignores later records. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#beating);
    clearTimeout(this.#pruning);
    const closed = this.#kick().then(() => this.#part?.close());
    await waitUntilSettled(closed, MAX_CLOSE_MS);
  }

  /**
   * Starts writing, one write at a time. Records that arrive during a write go into the next one.
   */
  #kick(): Promise<void> {
    clearTimeout(this.#flushing);
    this.#flushing = undefined;
    if (!this.#isWorking) {
      this.#isWorking = true;
      this.#work = this.#catchUp();
    }
    return this.#work;
  }

  async #catchUp(): Promise<void> {
    if (!this.#isClosed) this.#beating ??= this.#beat();
    try {
      while (this.#isBeatDue || !this.#buffer.isEmpty) {
        if (this.#isBeatDue) await this.#checkFile();
        else await this.#writeBatch(this.#buffer.take(BATCH));
        if (this.#buffer.isEmpty) this.#admitDropping();
      }
    } catch (thrown) {
      this.#isFailing = true;
      this.#buffer.settleAll();
      this.#complain(getErrorMessage(thrown));
    } finally {
      // Synchronous with the last check of the buffer, so that a later record restarts the work.
      this.#isWorking = false;
    }
  }

  #beat(): NodeJS.Timeout {
    return setInterval(() => {
      this.#isBeatDue = true;
      void this.#kick();
    }, this.#options.heartbeat).unref();
  }

  async #checkFile(): Promise<void> {
    this.#isBeatDue = false;
    // Even if the file accepts no more bytes, a touch can show that its program is alive.
    await this.#part?.touch(this.#options.now()).catch(() => {});
    if (!this.#isFailing) {
      if (!this.#part || (await this.#part.isInPlace())) return;
      await this.#part.close();
      this.#part = undefined;
    }
    // If records are pending, the next write starts the part.
    if (this.#buffer.isEmpty && !this.#sessions.isEmpty) await this.#beginPart('');
  }

  async #writeBatch(batch: readonly Pending[]): Promise<void> {
    const lines = batch.map(({ line }) => line).join('');
    const part = this.#part;
    const before = part?.bytes ?? 0;
    let unwritten: readonly Pending[] = [];
    try {
      if (part && !this.#isFailing && part.growth <= this.#options.partBytes) {
        await part.append(Buffer.from(lines));
      } else {
        await this.#beginPart(lines);
      }
    } catch (thrown) {
      unwritten = skipBytes(batch, (part?.bytes ?? 0) - before);
      this.#buffer.putBack(unwritten);
      throw thrown;
    } finally {
      for (const { record, settle } of batch.slice(0, batch.length - unwritten.length)) {
        this.#sessions.fold(record);
        settle?.();
      }
    }
  }

  /** Starts the next part: its head, the facts of all open sessions, and then `lines`. */
  async #beginPart(lines: string): Promise<void> {
    const { folder, files, program, version, name, now } = this.#options;
    await prepareFolder(files, folder);
    const at = now();
    const head = createProgramRecord({ program, version, name, part: this.#nextPart, at });
    const carried = this.#sessions.carried(at).map(serializeRecord);
    const path = getPartPath(folder, this.#run, this.#nextPart);
    const first = Buffer.from([serializeRecord(head), ...carried, lines].join(''));
    const part = await SegmentFile.create(files, path, first);
    await this.#part?.close();
    this.#part = part;
    this.#nextPart += 1;
    this.#isFailing = false;
    if (!this.#isClosed) this.#pruning ??= this.#pruneLater();
  }

  #pruneLater(): NodeJS.Timeout {
    const { folder, now, heartbeat, pruneAfter } = this.#options;
    const work = async () => {
      // Imported lazily to keep the start fast.
      const { prune } = await import('./retention.ts');
      await prune(folder, { now: now(), here: getHostView(heartbeat) });
    };
    // If it fails, the next program tries again.
    return setTimeout(() => void work().catch(() => {}), pruneAfter).unref();
  }

  #admitDropping(): void {
    const dropped = this.#buffer.takeDropped();
    if (dropped === 0) return;
    const message = `Records that could not be kept and are missing here: ${dropped}.`;
    const at = this.#options.now().toISOString();
    this.#buffer.add({ type: 'error', at, level: 'warning', message });
  }

  #complain(reason: string): void {
    if (this.#hasComplained) return;
    this.#hasComplained = true;
    this.#options.onFailure(
      `Could not write to the journal in ${this.#options.folder}, so that sessions may be missing from the list until that works again. Make room or set AGENTCORE_STATE_DIR to a folder that can be written: ${reason}`,
    );
  }
}

/** The records of a batch after its first `bytes` bytes. */
function skipBytes(batch: readonly Pending[], bytes: number): readonly Pending[] {
  let rest = bytes;
  const first = batch.findIndex(({ line }) => {
    rest -= Buffer.byteLength(line);
    return rest < 0;
  });
  return first === -1 ? [] : batch.slice(first);
}

/** A record in the queue. */
interface Pending {
  readonly record: JournalRecord;
  readonly line: string;
  /** Called when the operating system has the record, or when the write failed for now. */
  readonly settle?: (() => void) | undefined;
}

interface BufferBounds {
  /** Maximum pending records, except session records. */
  readonly records: number;
  /** Maximum pending characters, except those of session records. */
  readonly characters: number;
}

const BOUNDS: BufferBounds = { records: 10_000, characters: 8 * 1024 * 1024 };

/**
 * Queue of records for the disk, in order. If the disk is too slow, calls and errors are dropped.
 * Records of a session are never dropped while it may incur cost.
 */
export class WriteBuffer {
  readonly #bounds: BufferBounds;
  #pending: Pending[] = [];
  #characters = 0;
  #dropped = 0;
  #compactAt: number;

  constructor(bounds: BufferBounds = BOUNDS) {
    this.#bounds = bounds;
    this.#compactAt = 2 * bounds.records;
  }

  get isEmpty(): boolean {
    return this.#pending.length === 0;
  }

  get characters(): number {
    return this.#characters;
  }

  /** @param settle Called when the record is written or dropped, or when the write failed. */
  add(record: JournalRecord, settle?: () => void): void {
    if (!isSessionRecord(record) && this.#isFull) {
      this.#dropped += 1;
      settle?.();
      return;
    }
    try {
      const line = serializeRecord(record);
      this.#pending.push({ record, line, settle });
      this.#characters += line.length;
    } catch {
      // An argument is not serializable as JSON.
      this.#dropped += 1;
      settle?.();
      return;
    }
    if (this.#pending.length >= this.#compactAt) this.#compact();
  }

  /** Removes and returns the first pending records, up to about `characters` characters. */
  take(characters: number): Pending[] {
    let count = 0;
    let taken = 0;
    for (const { line } of this.#pending) {
      if (taken >= characters) break;
      taken += line.length;
      count += 1;
    }
    this.#characters -= taken;
    if (count < this.#pending.length) return this.#pending.splice(0, count);
    const all = this.#pending;
    this.#pending = [];
    return all;
  }

  /** Puts unwritten records back at the front. */
  putBack(batch: readonly Pending[]): void {
    this.#pending = [...batch, ...this.#pending];
    for (const { line } of batch) this.#characters += line.length;
  }

  /** Resolves all waiting callers. */
  settleAll(): void {
    for (const { settle } of this.#pending) settle?.();
  }

  /** Returns the number of dropped records since the last call. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  get #isFull(): boolean {
    const { records, characters } = this.#bounds;
    return this.#pending.length >= records || this.#characters >= characters;
  }

  /** Drops sessions that started and ended before the disk was available. */
  #compact(): void {
    const started = new Set<string>();
    const past = new Set<string>();
    for (const { record } of this.#pending) {
      if (record.type === 'session.started') started.add(record.session);
      if (isSessionRecord(record) && isEnd(record) && started.has(record.session)) {
        past.add(record.session);
      }
    }
    const kept = this.#pending.filter(({ record, settle }) => {
      const goes = 'session' in record && past.has(record.session ?? '');
      if (goes) settle?.();
      return !goes;
    });
    this.#dropped += this.#pending.length - kept.length;
    this.#pending = kept;
    this.#characters = kept.reduce((sum, { line }) => sum + line.length, 0);
    this.#compactAt = Math.max(2 * this.#bounds.records, 2 * kept.length);
  }
}

/** The recorded sessions that may still run. The next file must carry them over. */
class OpenSessions {
  readonly #facts = new Map<string, SessionFacts>();

  get isEmpty(): boolean {
    return this.#facts.size === 0;
  }

  fold(record: JournalRecord): void {
    if (record.type === 'program' || record.type === 'error') return;
    const known = record.session === undefined ? undefined : this.#facts.get(record.session);
    if (record.type === 'call') {
      if (known) this.#facts.set(known.session, reduceCall(known, record));
      return;
    }
    const facts = reduceSession(known, record);
    if (facts && !hasEnded(facts)) this.#facts.set(record.session, facts);
    else this.#facts.delete(record.session);
  }

  /**
   * The records to carry over into a file started at `now`. Drops detached sessions whose maximum
   * lifetime has passed.
   */
  carried(now: Date): SessionCarried[] {
    const at = now.toISOString();
    const carried: SessionCarried[] = [];
    for (const [session, facts] of this.#facts) {
      const goneAt = Date.parse(facts.lastActiveAt) + MAX_LIFETIME;
      if (facts.end && goneAt < now.getTime()) this.#facts.delete(session);
      else carried.push({ type: 'session.carried', at, session, facts });
    }
    return carried;
  }
}
