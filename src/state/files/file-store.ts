import { randomBytes } from 'node:crypto';
import * as nodeFiles from 'node:fs/promises';
import { join } from 'node:path';
import { withAbort } from '../../base/async.ts';
import { getJournalDirectory } from '../../base/environment.ts';
import { AgentCoreError, getErrorMessage } from '../../base/errors.ts';
import { createFileOnce } from '../../base/files.ts';
import { AuditLog, getAuditDirectory } from '../audit/audit-log.ts';
import type { FollowedRecord, FollowOptions } from '../journal/follow.ts';
import type { FoldOptions, ReadOptions } from '../journal/reader.ts';
import type { PruneOptions } from '../journal/retention.ts';
import { prepareFolder } from '../journal/segment.ts';
import { JournalWriter } from '../journal/writer.ts';
import type { Journal, StateStore } from '../store.ts';
import { ApprovalFiles, getApprovalsDirectory } from './approval-files.ts';
import { CounterFiles } from './counter-file.ts';
import type { EncryptedVault } from './vault-file.ts';

interface StoreProgram {
  /** `proxy`, `cli`, `extension`. */
  readonly program: string;
  readonly version: string;
  /** The display name, if it has one. */
  readonly name?: string | undefined;
  /** Called with a message for the user at the first failed write. */
  readonly onFailure: (sentence: string) => void;
}

/** Opens the state in files, below the state directory. Creates files when they are needed. */
export function openFileStore(directory: string, program: StoreProgram): StateStore {
  const journal = new JournalFiles({ folder: getJournalDirectory(directory), ...program });
  const audit = new AuditLog({
    stateFolder: directory,
    ...program,
    onFailure: (sentence) => {
      program.onFailure(sentence);
      const at = new Date().toISOString();
      journal.record({ type: 'error', at, level: 'warning', message: sentence });
    },
  });
  let vault: EncryptedVault | undefined;
  return {
    journal,
    audit,
    counters: new CounterFiles(join(directory, 'policy', 'counters')),
    approvals: new ApprovalFiles(getApprovalsDirectory(directory)),
    openVault: async (key) => {
      const { EncryptedVault: Vault } = await import('./vault-file.ts');
      vault = await Vault.open({ folder: join(directory, 'vault'), key });
      return vault;
    },
    getOrCreateSecret: (_name, bytes) =>
      getOrCreateSecret(getAuditDirectory(directory), 'salt', bytes),
    close: async (skipped = new AbortController().signal) => {
      const slow = Promise.all([audit.close(), vault?.close()]);
      await withAbort(slow, skipped).catch(() => undefined);
      await journal.close();
    },
  };
}

/** Imports the readers late: most programs only write. */
class JournalFiles extends JournalWriter implements Journal {
  async read(options?: ReadOptions) {
    const { readJournal } = await import('../journal/reader.ts');
    return readJournal(this.folder, options);
  }

  async readSessionFacts(options?: FoldOptions) {
    const { readSessionFacts } = await import('../journal/reader.ts');
    return readSessionFacts(this.folder, options);
  }

  async *follow(signal: AbortSignal, options?: FollowOptions): AsyncGenerator<FollowedRecord> {
    const { followJournal } = await import('../journal/follow.ts');
    yield* followJournal(this.folder, signal, options);
  }

  async prune(options?: PruneOptions) {
    const { prune } = await import('../journal/retention.ts');
    return prune(this.folder, options);
  }
}

async function getOrCreateSecret(folder: string, name: string, bytes: number): Promise<Buffer> {
  const path = join(folder, name);
  try {
    await prepareFolder(nodeFiles, folder);
    const secret = await nodeFiles.readFile(path).catch(() => undefined);
    if (secret?.length === bytes) return secret;
    await createFileOnce(path, randomBytes(bytes));
    const created = await nodeFiles.readFile(path);
    if (created.length !== bytes) throw new Error(`it does not have ${bytes} bytes`);
    return created;
  } catch (cause) {
    throw new AgentCoreError(
      'config',
      `Could not keep the salt ${path}: ${getErrorMessage(cause)}`,
      {
        cause,
      },
    );
  }
}
