import type { Vault } from '../redaction/tokens.ts';
import type { AuditEntry } from './audit/records.ts';
import type { CounterStore } from './counters.ts';
import type { FollowedRecord, FollowOptions } from './journal/follow.ts';
import type { FoldOptions, JournalSessions, ReadJournal, ReadOptions } from './journal/reader.ts';
import type { JournalRecord } from './journal/records.ts';
import type { PruneOptions, PruneReport } from './journal/retention.ts';

/** All state that outlives a call, shared by all programs of a user. */
export interface StateStore {
  readonly journal: Journal;
  readonly audit: Audit;
  readonly counters: CounterStore;
  readonly approvals: ApprovalStore;
  /**
   * Opens the vault of redacted values. {@link close} closes it.
   *
   * @param key 32 bytes, stored elsewhere.
   * @throws {AgentCoreError} `config` if the vault cannot be read.
   */
  openVault(key: Buffer): Promise<Vault>;
  /**
   * Returns a random secret. The first program creates it.
   *
   * @throws {AgentCoreError} `config` if it can be neither read nor created.
   */
  getOrCreateSecret(name: 'audit-salt', bytes: number): Promise<Buffer>;
  /**
   * Writes pending records. Ignores later ones.
   *
   * @param skipped An abort ends the wait for the audit, but not the wait for the journal.
   */
  close(skipped?: AbortSignal): Promise<void>;
}

/** The sessions, calls and errors of all programs. */
export interface Journal {
  /** Queues a record. It is written soon and in order. Never throws. */
  record(record: JournalRecord): void;
  /**
   * Resolves when the record and all earlier ones would survive the end of this process. Also
   * resolves if they cannot be written for now: no call should wait for a broken disk.
   */
  recordNow(record: JournalRecord): Promise<void>;
  /** Rejects if the journal cannot be listed. */
  read(options?: ReadOptions): Promise<ReadJournal>;
  /** Reduces all records to the current state of all sessions. Rejects like {@link read}. */
  readSessionFacts(options?: FoldOptions): Promise<JournalSessions>;
  /** Yields records of all programs as they are written. Ends when `signal` is aborted. */
  follow(signal: AbortSignal, options?: FollowOptions): AsyncIterable<FollowedRecord>;
  /** Removes old records, unless they are needed for a session that may still run. */
  prune(options?: PruneOptions): Promise<PruneReport>;
}

/** The policy decisions of all programs, chained by hashes. */
export interface Audit {
  /**
   * Resolves when the record would survive the end of this process.
   *
   * @throws {AgentCoreError} `config` if the record may be missing.
   */
  record(entry: AuditEntry): Promise<void>;
  /**
   * Queues an entry. A failure is reported to the user.
   *
   * @param entry Creates the entry, usually at the time of the write. It must not fail.
   */
  note(entry: () => Promise<AuditEntry>): void;
}

/** A question to a person, visible for all programs. */
export interface PendingApproval {
  /** A UUID. */
  readonly id: string;
  readonly at: string;
  /** Expiry time of the question. */
  readonly until: string;
  readonly tool: string;
  readonly runtime: string;
  /** The question, as shown to each person. */
  readonly text: string;
  /** True if an answer can apply to the rest of the session. */
  readonly mayLast: boolean;
  readonly pid: number;
}

/** The answer of a person. */
export type GivenAnswer = 'once' | 'session' | 'deny';

/** Questions of all programs about calls with a required approval, and their answers. */
export interface ApprovalStore {
  /** Stores a question. Returns false if too many questions are pending. */
  put(pending: PendingApproval): Promise<boolean>;
  /** The pending questions, oldest first. */
  list(): Promise<readonly PendingApproval[]>;
  /** Answers a question once. Returns false if the question has expired or has an answer. */
  answer(pending: PendingApproval, answer: GivenAnswer): Promise<boolean>;
  /** Waits for the answer. Returns `undefined` if the question expires. Rejects on an abort. */
  wait(pending: PendingApproval, signal: AbortSignal): Promise<GivenAnswer | undefined>;
  /** Removes a question and its answer, if they exist. */
  remove(id: string): Promise<void>;
}
