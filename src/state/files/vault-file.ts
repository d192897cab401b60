import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import * as nodeFiles from 'node:fs/promises';
import { basename, join } from 'node:path';
import { AgentCoreError, getErrorMessage } from '../../base/errors.ts';
import { MemoryVault, type Vault, type VaultEntry } from '../../redaction/tokens.ts';
import {
  createRunName,
  type FileSystem,
  listFileNames,
  prepareFolder,
  SegmentFile,
} from '../journal/segment.ts';

interface EncryptedVaultOptions {
  /** A folder for the vault alone, created if it does not exist. */
  readonly folder: string;
  /** 32 bytes, stored elsewhere. */
  readonly key: Buffer;
  readonly now?: () => Date;
  readonly files?: FileSystem;
  /** Maximum bytes of a file before a new one starts. */
  readonly partBytes?: number;
  /** Maximum size of all files together, in bytes. */
  readonly maxBytes?: number;
}

const CIPHER = 'aes-256-gcm';

/** Bytes of the nonce before each encrypted entry. */
const NONCE = 12;

/** Bytes of the authentication tag after each encrypted entry. */
const TAG = 16;

/** Maximum queued entries. */
const MAX_WAITING = 10_000;

/** Maximum age of stored values in milliseconds. */
const MAX_AGE = 30 * 24 * 60 * 60 * 1000;

/**
 * A vault on disk that outlives its process and is shared with other processes of the user. Each
 * process writes separate files with one entry per line. Each line is encrypted separately and
 * bound to its file. Entries with another key and modified entries are ignored.
 */
export class EncryptedVault implements Vault {
  readonly #options: Required<EncryptedVaultOptions>;
  readonly #memory = new MemoryVault();
  readonly #run: string;
  /** Bytes read so far, by path. */
  readonly #read = new Map<string, number>();
  #waiting: [string, VaultEntry][] = [];
  #part: SegmentFile | undefined;
  #path = '';
  #nextPart = 0;
  #work: Promise<void> = Promise.resolve();

  private constructor(options: EncryptedVaultOptions) {
    this.#options = {
      now: () => new Date(),
      files: nodeFiles,
      partBytes: 4 * 1024 * 1024,
      maxBytes: 64 * 1024 * 1024,
      ...options,
    };
    this.#run = createRunName(this.#options.now(), process.pid, randomBytes(3).toString('hex'));
  }

  /** @throws {AgentCoreError} `config` if the key is invalid, or if the folder cannot be listed. */
  static async open(options: EncryptedVaultOptions): Promise<EncryptedVault> {
    if (options.key.length !== 32) {
      throw new AgentCoreError('config', 'The key of the redaction vault must have 32 bytes');
    }
    const vault = new EncryptedVault(options);
    try {
      await vault.#readAll();
    } catch (thrown) {
      const reason = `Could not read the redaction vault in ${options.folder}: ${getErrorMessage(thrown)}`;
      throw new AgentCoreError('config', reason, { cause: thrown });
    }
    return vault;
  }

  /** Stores an entry in memory and queues it for the disk. {@link settled} writes the queue. */
  keep(id: string, kept: VaultEntry): void {
    this.#memory.keep(id, kept);
    this.#waiting.push([id, kept]);
    // The queue is full only if writes fail. Then no message with these tokens was sent.
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift();
  }

  find(id: string): VaultEntry | undefined {
    return this.#memory.find(id);
  }

  /**
   * Writes all queued entries.
   *
   * @throws {AgentCoreError} `config` if the write fails. The next call tries again.
   */
  settled(): Promise<void> {
    const work = this.#work.catch(() => undefined).then(() => this.#write());
    this.#work = work;
    return work;
  }

  /** Reads new lines of other processes. Resolves to true if there were any. Never rejects. */
  refresh(): Promise<boolean> {
    return this.#readAll().catch(() => false);
  }

  async #readAll(): Promise<boolean> {
    const { folder } = this.#options;
    let hasNew = false;
    for (const name of await listVaultFiles(folder)) {
      if (name.startsWith(`${this.#run}.`)) continue;
      // An unreadable file is ignored.
      hasNew = (await this.#readOn(join(folder, name)).catch(() => false)) || hasNew;
    }
    return hasNew;
  }

  async close(): Promise<void> {
    await this.#work.catch(() => undefined);
    await this.#part?.close();
    this.#part = undefined;
  }

  async #write(): Promise<void> {
    if (this.#waiting.length === 0) return;
    const batch = this.#waiting;
    this.#waiting = [];
    try {
      if (!this.#part || this.#part.bytes > this.#options.partBytes) await this.#begin();
      await this.#part?.append(Buffer.from(batch.map((entry) => this.#sealed(entry)).join('')));
    } catch (thrown) {
      this.#waiting = [...batch, ...this.#waiting];
      // The last line of the file may be incomplete.
      await this.#part?.close();
      this.#part = undefined;
      throw new AgentCoreError(
        'config',
        `Could not keep the originals of redacted values in ${this.#options.folder}, so the message was not sent: ${getErrorMessage(thrown)}`,
        { cause: thrown },
      );
    }
  }

  async #begin(): Promise<void> {
    const { folder, files } = this.#options;
    await prepareFolder(files, folder);
    await this.#prune();
    await this.#part?.close();
    this.#path = join(folder, `${this.#run}.${this.#nextPart++}.vault`);
    this.#part = await SegmentFile.create(files, this.#path, Buffer.alloc(0));
  }

  /** Removes expired files, and the oldest files beyond the size limit. */
  async #prune(): Promise<void> {
    const { folder, files, maxBytes, now, partBytes } = this.#options;
    let left = maxBytes - partBytes;
    for (const name of (await listVaultFiles(folder)).reverse()) {
      const path = join(folder, name);
      const status = await files.stat(path).catch(() => undefined);
      if (!status) continue;
      left -= status.size;
      const isOld = now().getTime() - status.mtimeMs > MAX_AGE;
      if (left < 0 || isOld) await files.unlink(path).catch(() => undefined);
    }
  }

  async #readOn(path: string): Promise<boolean> {
    const handle = await this.#options.files.open(path, 'r');
    try {
      const from = this.#read.get(path) ?? 0;
      const { size } = await handle.stat();
      if (size <= from) return false;
      const bytes = Buffer.alloc(size - from);
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, from);
      const end = bytes.lastIndexOf(0x0a, bytesRead - 1) + 1;
      this.#read.set(path, from + end);
      for (const line of bytes.toString('latin1', 0, end).split('\n')) {
        const entry = line && this.#unsealed(line, path);
        if (entry) this.#memory.keep(...entry);
      }
      return end > 0;
    } finally {
      await handle.close();
    }
  }

  #sealed(entry: readonly [string, VaultEntry]): string {
    const nonce = randomBytes(NONCE);
    const cipher = createCipheriv(CIPHER, this.#options.key, nonce);
    cipher.setAAD(Buffer.from(basename(this.#path)));
    const sealed = [nonce, cipher.update(JSON.stringify(entry)), cipher.final()];
    return `${Buffer.concat([...sealed, cipher.getAuthTag()]).toString('base64')}\n`;
  }

  #unsealed(line: string, path: string): [string, VaultEntry] | undefined {
    const bytes = Buffer.from(line, 'base64');
    try {
      const decipher = createDecipheriv(CIPHER, this.#options.key, bytes.subarray(0, NONCE));
      decipher.setAAD(Buffer.from(basename(path)));
      decipher.setAuthTag(bytes.subarray(-TAG));
      const opened = [decipher.update(bytes.subarray(NONCE, -TAG)), decipher.final()];
      return JSON.parse(Buffer.concat(opened).toString());
    } catch {
      return undefined;
    }
  }
}

/** Sorted by the start of their program, then by part number. */
async function listVaultFiles(folder: string): Promise<string[]> {
  const names = (await listFileNames(folder)).filter((name) => name.endsWith('.vault'));
  return names.sort((one, other) => one.localeCompare(other, 'en', { numeric: true }));
}
