import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { messageOf } from '../../error.ts';
import { journalPaths } from '../../journal/journal-files.ts';
import { LineSplitter } from '../../journal/line-splitter.ts';
import { auditFolder } from './audit-folder.ts';
import type { AuditedRequest } from './audit-records.ts';

/** A call that put a token in, took it back, or both. */
export interface TokenUse {
  readonly record: AuditedRequest;
  readonly issued: boolean;
  readonly restored: boolean;
}

export interface TokenUses {
  /** By the time at which the call came. */
  readonly uses: readonly TokenUse[];
  /** A sentence for each file that could not be read. */
  readonly problems: readonly string[];
}

/** The calls of the whole audit that had to do with a redaction token. */
export async function findToken(stateFolder: string, id: string): Promise<TokenUses> {
  const uses: TokenUse[] = [];
  const problems: string[] = [];
  for (const { path } of await journalPaths(auditFolder(stateFolder))) {
    try {
      // Opening a named pipe would wait for its writer.
      if (!(await stat(path)).isFile()) continue;
      const splitter = new LineSplitter();
      for await (const bytes of createReadStream(path)) {
        for (const line of splitter.push(bytes as Buffer)) {
          const use = line.includes(id) ? useOf(line, id) : undefined;
          if (use) uses.push(use);
        }
      }
    } catch (thrown) {
      problems.push(`Could not read ${path}: ${messageOf(thrown)}`);
    }
  }
  uses.sort((one, other) => one.record.at.localeCompare(other.record.at));
  return { uses, problems };
}

function useOf(line: string, id: string): TokenUse | undefined {
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
