import { randomBytes } from 'node:crypto';
import * as nodeFiles from 'node:fs/promises';
import { basename, join } from 'node:path';
import { waitUntilSettled, withTimeout } from '../../base/async.ts';
import { AgentCoreError, getErrorMessage } from '../../base/errors.ts';
import { createProgramRecord } from '../journal/processes.ts';
import { serializeRecord } from '../journal/records.ts';
import { sanitizeRecord } from '../journal/sanitize.ts';
import {
  createRunName,
  type FileSystem,
  getPartPath,
  listJournalPaths,
  prepareFolder,
  SegmentFile,
} from '../journal/segment.ts';
import { appendToChain, NO_HASH, readLastHash, withHead } from './hash-chain.ts';
import type { AuditEntry, AuditedRequest, AuditOpened, AuditPruned } from './records.ts';

/** Options of {@link AuditLog}. */
export interface AuditOptions {
  readonly stateFolder: string;
  /** The writing program: `proxy`, `serve`. */
  readonly program: string;
  readonly version: string;
  /** Called with a message for the user at the first failed write. */
  readonly onFailure: (sentence: string) => void;
  readonly now?: () => Date;
  readonly files?: FileSystem;
  /** Maximum bytes of a file before a new one starts. */
  readonly partBytes?: number;
  /** Maximum bytes of all files together. */
  readonly maxBytes?: number;
}

/** Receives the result of the write. */
interface Recorder {
  readonly resolve: () => void;
  readonly reject: (error: AgentCoreError) => void;
}

interface Waiting {
  readonly entry: () => AuditEntry | Promise<AuditEntry>;
  readonly recorder: Recorder | undefined;
}

/** Maximum entries in the queue, and maximum of those not created yet. */
const MAX_WAITING = 10_000;

const MAX_PENDING_RECORDS = 500;

/** Milliseconds to collect entries for one write when no caller waits for them. */
const GATHERING = 20;

/** Milliseconds until a slow disk counts as a failure. */
const WRITE_TIMEOUT_MS = 5_000;

/**
 * The audit of this process, in files of the journal's format. Each record includes the hash of the
 * previous one, and each file a link to the previous file. Unlike the journal, it reports every
 * record it could not write.
 */
export class AuditLog {
  readonly #options: Required<AuditOptions>;
  readonly #folder: string;
  readonly #run: string;
  #part: SegmentFile | undefined;
  #path: string | undefined;
  #hash = NO_HASH;
  #nextPart = 0;
  #waiting: Waiting[] = [];
  #work: Promise<void> | undefined;
  #hurry: (() => void) | undefined;
  #isClosed = false;
  #hasComplained = false;

  constructor(options: AuditOptions) {
    this.#options = {
      now: () => new Date(),
      files: nodeFiles,
      partBytes: 4 * 1024 * 1024,
      maxBytes: 256 * 1024 * 1024,
      ...options,
    };
    this.#folder = getAuditDirectory(options.stateFolder);
    this.#run = createRunName(this.#options.now(), process.pid, randomBytes(3).toString('hex'));
  }

  /**
   * Resolves when the record would survive the end of this process.
   *
   * @throws {AgentCoreError} `config` if the write fails or takes more than five seconds, or if the
   *   audit is closed. The record may then be missing.
   */
  async record(entry: AuditEntry): Promise<void> {
    const written = new Promise<void>((resolve, reject) => {
      this.#put(() => entry, { resolve, reject });
    });
    this.#hurry?.();
    await withTimeout(written, WRITE_TIMEOUT_MS, () => this.#unanswered());
  }

  /**
   * Queues an entry. The write starts after 20 ms at most. If it fails, `onFailure` is called.
   *
   * @param entry Creates the entry, usually at the time of the write: a batch is cheaper, and the
   *   call does not wait for it. It must not fail.
   */
  note(entry: () => Promise<AuditEntry>): void {
    const made = this.#waiting.length < MAX_PENDING_RECORDS ? undefined : entry();
    this.#put(made ? () => made : entry);
  }

  #put(entry: Waiting['entry'], recorder?: Recorder): void {
    const isFull = this.#waiting.length >= MAX_WAITING;
    if (this.#isClosed || isFull) {
      const failure = this.#failed(isFull ? 'too much waits to be written' : 'it is closed');
      recorder?.reject(failure);
      return;
    }
    this.#waiting.push({ entry, recorder });
    this.#work ??= this.#catchUp();
  }

  /** Writes pending entries and closes the file. Takes five seconds at most. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#hurry?.();
    const closed = (this.#work ?? Promise.resolve()).then(() => this.#part?.close());
    await waitUntilSettled(closed, WRITE_TIMEOUT_MS);
  }

  /** Runs one write at a time. Entries that arrive during a write go into the next one. */
  async #catchUp(): Promise<void> {
    await this.#gathered();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      const timer = setTimeout(() => this.#unanswered(), WRITE_TIMEOUT_MS);
      try {
        await this.#ready();
        const entries = await Promise.all(batch.map(({ entry }) => entry()));
        await this.#append(entries.map((entry) => this.#createRecord(entry)));
      } catch (thrown) {
        const failure = this.#failed(getErrorMessage(thrown));
        for (const { recorder } of batch) recorder?.reject(failure);
        continue;
      } finally {
        clearTimeout(timer);
      }
      for (const { recorder } of batch) recorder?.resolve();
    }
    this.#work = undefined;
  }

  #createRecord(entry: AuditEntry): Omit<AuditedRequest, 'hash'> {
    const at = entry.at ?? this.#options.now().toISOString();
    return sanitizeRecord({ type: 'audit.request', ...entry, at });
  }

  /** Waits 20 ms, because responses are sent first. `record` and `close` end the wait. */
  #gathered(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#hurry?.(), GATHERING);
      this.#hurry = () => {
        clearTimeout(timer);
        this.#hurry = undefined;
        resolve();
      };
    });
  }

  async #ready(): Promise<void> {
    const { partBytes } = this.#options;
    if (this.#part && this.#part.bytes <= partBytes && (await this.#part.isInPlace())) return;
    await this.#begin();
  }

  async #append(records: readonly object[]): Promise<void> {
    const part = this.#part as SegmentFile;
    const path = this.#path as string;
    let hash = this.#hash;
    let lines = '';
    for (const record of records) {
      const next = appendToChain(record, hash);
      lines += next.line;
      hash = next.hash;
    }
    try {
      await part.append(Buffer.from(lines));
    } catch (thrown) {
      // If some lines did reach the file, they belong to the chain. The next file continues from
      // the last one.
      this.#part = undefined;
      await part.close();
      this.#hash = (await readLastHash(path).catch(() => undefined)) ?? this.#hash;
      throw thrown;
    }
    this.#hash = hash;
  }

  async #begin(): Promise<void> {
    const { files, program, version, now } = this.#options;
    await prepareFolder(files, this.#folder);
    const follows = await this.#latest();
    const at = now();
    const head = serializeRecord(
      createProgramRecord({ program, version, part: this.#nextPart, at }),
    );
    const record: Omit<AuditOpened, 'hash'> = {
      type: 'audit.opened',
      at: at.toISOString(),
      ...(follows && { follows }),
    };
    const { line, hash } = appendToChain(record, withHead(follows?.hash ?? NO_HASH, head));
    const path = getPartPath(this.#folder, this.#run, this.#nextPart);
    const part = await SegmentFile.create(files, path, Buffer.from(head + line));
    await this.#part?.close();
    this.#part = part;
    this.#path = path;
    this.#hash = hash;
    this.#nextPart += 1;
    await this.#prune();
  }

  /**
   * The predecessor of the next file: the last file of this run, or the latest of another program.
   */
  async #latest(): Promise<{ file: string; hash: string } | undefined> {
    if (this.#path) return { file: basename(this.#path), hash: this.#hash };
    const listed = await this.#listed();
    for (const { path } of listed.toReversed()) {
      const hash = await readLastHash(path).catch(() => undefined);
      if (hash) return { file: basename(path), hash };
    }
    return undefined;
  }

  /** By time of the last write. */
  async #listed(): Promise<{ path: string; bytes: number; touchedAt: number }[]> {
    const listed = [];
    for (const { path } of await listJournalPaths(this.#folder)) {
      const status = await this.#options.files.stat(path).catch(() => undefined);
      if (!status) continue;
      listed.push({ path, bytes: status.size, touchedAt: status.mtimeMs });
    }
    return listed.sort((one, other) => one.touchedAt - other.touchedAt);
  }

  /** Removes the oldest files beyond the size limit, and records each removal first. */
  async #prune(): Promise<void> {
    const { maxBytes, files, now } = this.#options;
    const listed = await this.#listed();
    let bytes = listed.reduce((sum, file) => sum + file.bytes, 0);
    for (const file of listed) {
      if (bytes <= maxBytes || file.path === this.#path) return;
      const last = await readLastHash(file.path).catch(() => undefined);
      const record: Omit<AuditPruned, 'hash'> = {
        type: 'audit.pruned',
        at: now().toISOString(),
        file: basename(file.path),
        last: last ?? NO_HASH,
      };
      await this.#append([record]);
      await files.unlink(file.path).catch(() => undefined);
      bytes -= file.bytes;
    }
  }

  #unanswered(): AgentCoreError {
    return this.#failed(`the disk has not answered for ${WRITE_TIMEOUT_MS} ms`);
  }

  #failed(reason: string): AgentCoreError {
    const sentence = `Could not write to the audit in ${this.#folder}; make room or set AGENTCORE_STATE_DIR to a folder that can be written: ${reason}`;
    if (!this.#hasComplained) {
      this.#hasComplained = true;
      this.#options.onFailure(sentence);
    }
    return new AgentCoreError('config', sentence);
  }
}

/** The folder of audit files in the state folder. */
export function getAuditDirectory(state: string): string {
  return join(state, 'audit');
}
