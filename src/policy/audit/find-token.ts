import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { getErrorMessage } from '../../error.ts';
import { listJournalPaths } from '../../journal/journal-files.ts';
import { LineSplitter } from '../../journal/line-splitter.ts';
import { getAuditDirectory } from './audit-folder.ts';
import type { AuditedRequest } from './audit-records.ts';

/** A call that issued or restored a redaction token. */
export interface TokenUse {
  readonly record: AuditedRequest;
  readonly issued: boolean;
  readonly restored: boolean;
}

interface TokenUses {
  /** By start time of the call. */
  readonly uses: readonly TokenUse[];
  /** One sentence for each unreadable file. */
  readonly problems: readonly string[];
}

/** Finds all uses of a redaction token in the audit. */
export async function findTokenUses(stateFolder: string, id: string): Promise<TokenUses> {
  const uses: TokenUse[] = [];
  const problems: string[] = [];
  for (const { path } of await listJournalPaths(getAuditDirectory(stateFolder))) {
    try {
      // Opening a named pipe would block until a writer appears.
      if (!(await stat(path)).isFile()) continue;
      const splitter = new LineSplitter();
      for await (const bytes of createReadStream(path)) {
        for (const line of splitter.push(bytes as Buffer)) {
          const use = line.includes(id) ? parseTokenUse(line, id) : undefined;
          if (use) uses.push(use);
        }
      }
    } catch (thrown) {
      problems.push(`Could not read ${path}: ${getErrorMessage(thrown)}`);
    }
  }
  uses.sort((one, other) => one.record.at.localeCompare(other.record.at));
  return { uses, problems };
}

function parseTokenUse(line: string, id: string): TokenUse | undefined {
  let record: Partial<AuditedRequest> | null;
  try {
    record = JSON.parse(line) as Partial<AuditedRequest> | null;
  } catch {
    return undefined;
  }
  if (record?.type !== 'audit.request' || typeof record.at !== 'string') return undefined;
  const { tokens } = record;
  const has = (ids: unknown) => Array.isArray(ids) && ids.includes(id);
  const use = { issued: has(tokens?.issued), restored: has(tokens?.restored) };
  return use.issued || use.restored ? { record: record as AuditedRequest, ...use } : undefined;
}
