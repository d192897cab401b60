import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import type { Environment } from '../environment.ts';
import { AgentCoreError } from '../error.ts';
import { describeFileError } from '../file-failure.ts';
import { getStateDirectory } from '../journal/state-folder.ts';
import { escapeControls } from '../log.ts';
import { getAuditDirectory } from '../policy/audit/audit-folder.ts';
import { findTokenUses, type TokenUse } from '../policy/audit/find-token.ts';
import { type AuditEnd, verifyAudit } from '../policy/audit/verify-audit.ts';
import { sanitizeForTerminal } from '../sessions/session-words.ts';

export interface AuditVerifyOptions {
  readonly json?: boolean | undefined;
  /**
   * File with earlier `--json` output. It must be kept where the writers of the audit log cannot
   * change it.
   */
  readonly noted?: string | undefined;
}

interface AuditStreams {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

/**
 * Verifies that the audit log is unchanged.
 *
 * @returns 0 if unchanged, 1 if a record was changed, removed or added.
 * @throws {AgentCoreError} `config` if the `noted` file is invalid.
 */
export async function runAuditVerify(
  { json, noted }: AuditVerifyOptions,
  env: Environment,
  { stdout, stderr }: AuditStreams,
): Promise<number> {
  const state = getStateDirectory(env);
  const report = await verifyAudit(state, noted === undefined ? [] : await readNoted(noted));
  const { files, records, problems, ends } = report;
  if (json) {
    stdout.write(`${JSON.stringify(report)}\n`);
  } else if (files === 0 && problems.length === 0) {
    stdout.write(`Nothing is on record in ${getAuditDirectory(state)}\n`);
  } else {
    for (const problem of problems) stderr.write(`${escapeControls(problem)}\n`);
    const verdict = problems.length === 0 ? 'as they were written' : 'not as they were written';
    stdout.write(
      `${records} records in ${files === 1 ? '1 file' : `${files} files`} are ${verdict}\n`,
    );
    for (const { file, hash } of ends) stdout.write(`${file} ends with ${hash}\n`);
  }
  return problems.length === 0 ? 0 : 1;
}

export interface AuditFindOptions {
  readonly json?: boolean | undefined;
}

/** `<email:1f3a5b7c9d0e2f46>`, or its id alone. */
const TOKEN = /^(?:<?[a-z][a-z\d-]{0,31}:)?([\da-f]{16})>?$/i;

/**
 * Lists the calls that issued or restored a redaction token.
 *
 * @returns 0 if there are any, 1 if there are none or a file could not be read.
 * @throws {AgentCoreError} `usage` if the token is invalid.
 */
export async function runAuditFind(
  token: string,
  { json }: AuditFindOptions,
  env: Environment,
  { stdout, stderr }: AuditStreams,
): Promise<number> {
  const id = TOKEN.exec(token)?.[1]?.toLowerCase();
  if (id === undefined) {
    throw new AgentCoreError(
      'usage',
      'Could not look for the token: it is not of the form <email:1f3a5b7c9d0e2f46>. Pass a whole token in quotes, or the 16 digits of its id.',
    );
  }
  const state = getStateDirectory(env);
  const { uses, problems } = await findTokenUses(state, id);
  for (const problem of problems) stderr.write(`${problem}\n`);
  if (json) {
    stdout.write(`${JSON.stringify({ id, uses, problems })}\n`);
  } else if (uses.length === 0) {
    stdout.write(`No call in ${getAuditDirectory(state)} has the token ${id}\n`);
  } else {
    for (const use of uses) stdout.write(`${formatAuditLine(use)}\n`);
  }
  return uses.length > 0 && problems.length === 0 ? 0 : 1;
}

function formatAuditLine({ record, issued, restored }: TokenUse): string {
  const { at, id, method, name, caller, session, from } = record;
  const call = name === undefined ? method : `${method} ${name}`;
  const words = [
    at,
    sanitizeForTerminal(from === 'server' ? `the server's ${call}` : call),
    [issued && 'put in', restored && 'taken back'].filter(Boolean).join(' and '),
    `record ${id}`,
    session && `session ${session}`,
    caller && `caller ${caller}`,
  ];
  return words.filter(Boolean).join('  ');
}

async function readNoted(path: string): Promise<readonly AuditEnd[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const message = `${path} cannot be read: ${describeFileError(cause)}`;
    throw new AgentCoreError('config', message, { cause });
  }
  try {
    return notedSchema.parse(JSON.parse(text)).ends;
  } catch (cause) {
    const message = `${path} is not what \`agentcore-mcp audit verify --json\` prints`;
    throw new AgentCoreError('config', message, { cause });
  }
}

const notedSchema = z.object({ ends: z.array(z.object({ file: z.string(), hash: z.string() })) });
