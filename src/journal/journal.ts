import { randomBytes } from 'node:crypto';
import * as nodeFiles from 'node:fs/promises';
import { messageOf } from '../error.ts';
import { HEARTBEAT } from './heartbeat.ts';
import { partPath, runName } from './journal-files.ts';
import { type FileSystem, JournalPart, prepareFolder } from './journal-part.ts';
import { LiveSessions } from './live-sessions.ts';
import { viewpoint } from './liveness.ts';
import { MAX_LIFETIME } from './max-lifetime.ts';
import { programRecord } from './program-identity.ts';
import { lineOf } from './record-line.ts';
import type { JournalRecord, SessionFacts } from './records.ts';
import { sanitized } from './sanitized-record.ts';
import { type Pending, WriteBuffer } from './write-buffer.ts';

export interface JournalOptions {
  /** Where the files of all programs are; made where it is not there. */
  readonly folder: string;
  /** Which program writes: `proxy`, `cli`, `extension`. */
  readonly program: string;
  readonly version: string;
  /** The name that its user knows it by, where it has one. */
  readonly name?: string | undefined;
  /** Is given a sentence for the user the first time that something could not be written. */
  readonly onFailure: (sentence: string) => void;
  /** After how many bytes the next file is begun. */
  readonly partBytes?: number;
  readonly now?: () => Date;
  /** In milliseconds. */
  readonly heartbeat?: number;
  readonly files?: FileSystem;
  /** How long, in milliseconds, `recordNow` waits for the disk. */
  readonly maxWaitMs?: number;
  /** How long a session can live at most, in milliseconds; what is older may be pruned. */
  readonly lifetimeOf?: (facts: SessionFacts) => number;
  /** When, in milliseconds after the first write, old files are removed. */
  readonly pruneAfter?: number;
}

/** How long, in milliseconds, records may wait to be written together. */
const FLUSH_AFTER = 200;
/** How many characters are written at once. */
const BATCH = 1024 * 1024;
/**
 * How long, in milliseconds, an invoke waits until its session is on record. A busy disk or processor
 * takes more than a second at times, and a session that is not on record is lost if the program is
 * killed then. A disk that hangs must not hold up calls for longer.
 */
const MAX_WAIT_MS = 5_000;
/** How long, in milliseconds, closing takes at the most. Clients kill a program that ends too slowly. */
const MAX_CLOSE_MS = 1_000;

/**
 * What this process remembers of its sessions, calls and errors, in files of its own. Nothing here
 * throws: without a disk the program goes on, and what is missing is written once there is one.
 */
export class Journal {
  readonly #options: Required<Omit<JournalOptions, 'name'>> & Pick<JournalOptions, 'name'>;
  readonly #run: string;
  readonly #buffer = new WriteBuffer();
  readonly #sessions: LiveSessions;
  #part: JournalPart | undefined;
  #nextPart = 0;
  /** Since a write failed, until a new part is begun. */
  #isFailing = false;
  #hasComplained = false;
  #isClosed = false;
  #isWorking = false;
  #work: Promise<void> = Promise.resolve();
  #isBeatDue = false;
  #flushing: NodeJS.Timeout | undefined;
  #beating: NodeJS.Timeout | undefined;
  #pruning: NodeJS.Timeout | undefined;

  constructor(options: JournalOptions) {
    this.#options = {
      partBytes: 4 * 1024 * 1024,
      now: () => new Date(),
      heartbeat: HEARTBEAT,
      files: nodeFiles,
      maxWaitMs: MAX_WAIT_MS,
      lifetimeOf: () => MAX_LIFETIME,
      pruneAfter: 5_000,
      ...options,
    };
    this.#sessions = new LiveSessions(this.#options.lifetimeOf);
    const startedAt = new Date(performance.timeOrigin);
    this.#run = runName(startedAt, process.pid, randomBytes(3).toString('hex'));
  }

  /** Writes the record soon, after those that came before it. */
  record(record: JournalRecord): void {
    if (this.#isClosed) return;
    this.#buffer.add(sanitized(record));
    if (this.#isWorking || this.#isFailing) return;
    if (this.#buffer.characters > BATCH) void this.#kick();
    else this.#flushing ??= setTimeout(() => void this.#kick(), FLUSH_AFTER).unref();
  }

  /**
   * Resolves once the record, and all before it, would outlive this process; or once writing has
   * failed or has taken `maxWaitMs`, for nothing waits for a broken disk. It is written all the same
   * once the disk answers.
   */
  async recordNow(record: JournalRecord): Promise<void> {
    if (this.#isClosed) return;
    const { maxWaitMs } = this.#options;
    await new Promise<void>((resolve) => {
      const impatience = setTimeout(() => {
        this.#complain(`it has not answered for ${maxWaitMs} ms`);
        resolve();
      }, maxWaitMs);
      this.#buffer.add(sanitized(record), () => {
        clearTimeout(impatience);
        resolve();
      });
      void this.#kick();
    });
  }

  /** Writes what waits and closes the file; takes a second at most. Later records are ignored. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#beating);
    clearTimeout(this.#pruning);
    let impatience: NodeJS.Timeout | undefined;
    const bound = new Promise<void>((resolve) => {
      impatience = setTimeout(resolve, MAX_CLOSE_MS);
    });
    await Promise.race([this.#kick().then(() => this.#part?.close()), bound]);
    clearTimeout(impatience);
  }

  /** Has the disk catch up. One write at a time: who comes meanwhile is taken along. */
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
      this.#complain(messageOf(thrown));
    } finally {
      // In the same breath as the last look at the buffer: a later record begins anew.
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
    // A file that takes no more bytes may still say that its program lives.
    await this.#part?.touch(this.#options.now()).catch(() => {});
    if (!this.#isFailing) {
      if (!this.#part || (await this.#part.isInPlace())) return;
      await this.#part.close();
      this.#part = undefined;
    }
    // Where records wait, they are written next, and begin the part themselves.
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
      unwritten = afterBytes(batch, (part?.bytes ?? 0) - before);
      this.#buffer.putBack(unwritten);
      throw thrown;
    } finally {
      for (const { record, settle } of batch.slice(0, batch.length - unwritten.length)) {
        this.#sessions.fold(record);
        settle?.();
      }
    }
  }

  /** Begins the next part: its head, all that is known of live sessions, and then `lines`. */
  async #beginPart(lines: string): Promise<void> {
    const { folder, files, program, version, name, now } = this.#options;
    await prepareFolder(files, folder);
    const at = now();
    const head = programRecord({ program, version, name, part: this.#nextPart, at });
    const carried = this.#sessions.carried(at).map(lineOf);
    const path = partPath(folder, this.#run, this.#nextPart);
    const first = Buffer.from([lineOf(head), ...carried, lines].join(''));
    const part = await JournalPart.create(files, path, first);
    await this.#part?.close();
    this.#part = part;
    this.#nextPart += 1;
    this.#isFailing = false;
    if (!this.#isClosed) this.#pruning ??= this.#pruneLater();
  }

  #pruneLater(): NodeJS.Timeout {
    const { folder, now, lifetimeOf, heartbeat, pruneAfter } = this.#options;
    const work = async () => {
      // Loaded when there is time for it, not when the program begins.
      const { prune } = await import('./retention.ts');
      await prune(folder, { now: now(), lifetimeOf, here: viewpoint(heartbeat) });
    };
    // Where it fails, whoever comes next tries again.
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

/** What of a batch does not lie within its first `bytes` bytes. */
function afterBytes(batch: readonly Pending[], bytes: number): readonly Pending[] {
  let rest = bytes;
  const first = batch.findIndex(({ line }) => {
    rest -= Buffer.byteLength(line);
    return rest < 0;
  });
  return first === -1 ? [] : batch.slice(first);
}
