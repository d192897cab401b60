import { randomUUID } from 'node:crypto';
import * as nodeFiles from 'node:fs/promises';
import { join } from 'node:path';
import { isObject } from '../../mcp/message.ts';
import { listFileNames, prepareFolder } from '../journal/segment.ts';

/** Questions about calls with a required approval, and their answers, as files for all programs. */

/** A question to a person, stored as a file. */
export interface PendingApproval {
  /** Base name of the question file and of its answer file. */
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

/** Maximum pending questions of all programs together. */
export const MAX_PENDING = 100;

/** Maximum files to read. If programs crash, their files stay until the next question. */
const MAX_FILES = 1_000;

/** Maximum bytes of a question or answer file. */
const MAX_FILE_BYTES = 256 * 1024;

const ANSWER = /^(.+)\.answer$/;

const ID = /^[\da-f-]{36}$/;

/** The folder of questions and answers in the state folder. */
export function getApprovalsDirectory(state: string): string {
  return join(state, 'approvals');
}

/** Stores a question for other programs. Rejects if the folder is not writable. */
export async function writePending(folder: string, pending: PendingApproval): Promise<void> {
  await prepareFolder(nodeFiles, folder);
  await writeWhole(join(folder, `${pending.id}.json`), pending);
}

/** Removes a question and its answer, if they exist. */
export async function removePending(folder: string, id: string): Promise<void> {
  for (const end of ['json', 'answer']) {
    await nodeFiles.rm(join(folder, `${id}.${end}`), { force: true }).catch(() => undefined);
  }
}

/** The pending questions, oldest first. Ignores invalid files. */
export async function readPending(folder: string, now: number): Promise<PendingApproval[]> {
  const all = await readAll(folder);
  const names = new Set(await listFileNames(folder));
  return all
    .filter(({ id, until }) => Date.parse(until) > now && !names.has(`${id}.answer`))
    .sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
}

/** Removes files left by ended programs after their questions expired. */
export async function removeExpired(folder: string, now: number): Promise<void> {
  for (const { id, until } of await readAll(folder)) {
    if (Date.parse(until) <= now) await removePending(folder, id);
  }
  const names = new Set(await listFileNames(folder));
  for (const name of names) {
    const [, id] = ANSWER.exec(name) ?? [];
    // An answer without a question: it arrived too late.
    if (id && !names.has(`${id}.json`)) await removePending(folder, id);
  }
}

/**
 * Answers a question once.
 *
 * @returns false if the question has expired or has an answer.
 */
export async function writeAnswer(
  folder: string,
  { id, mayLast }: PendingApproval,
  answer: GivenAnswer,
): Promise<boolean> {
  if (answer === 'session' && !mayLast) return false;
  const question = await nodeFiles.stat(join(folder, `${id}.json`)).catch(() => undefined);
  if (!question) return false;
  return writeWhole(join(folder, `${id}.answer`), { allow: answer });
}

/** `undefined` until there is an answer. Anything other than a clear yes counts as a no. */
export async function readAnswerFile(folder: string, id: string): Promise<GivenAnswer | undefined> {
  const path = join(folder, `${id}.answer`);
  if (!(await nodeFiles.lstat(path).catch(() => undefined))) return undefined;
  const read = await readSmall(path);
  const allow = isObject(read) ? read.allow : undefined;
  return allow === 'once' || allow === 'session' ? allow : 'deny';
}

async function readAll(folder: string): Promise<PendingApproval[]> {
  const names = (await listFileNames(folder)).filter((name) => name.endsWith('.json'));
  const all = await Promise.all(
    names.slice(0, MAX_FILES).map(async (name) => {
      const read = await readSmall(join(folder, name));
      return isPending(read) && `${read.id}.json` === name ? [read] : [];
    }),
  );
  return all.flat();
}

/** Creates a file atomically. The first writer wins. */
async function writeWhole(path: string, value: object): Promise<boolean> {
  const own = `${path}.${randomUUID()}`;
  await nodeFiles.writeFile(own, `${JSON.stringify(value)}\n`, { mode: 0o600, flag: 'wx' });
  try {
    await nodeFiles.link(own, path);
    return true;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw thrown;
  } finally {
    await nodeFiles.rm(own, { force: true });
  }
}

async function readSmall(path: string): Promise<unknown> {
  try {
    const status = await nodeFiles.lstat(path);
    if (!status.isFile() || status.size > MAX_FILE_BYTES) return undefined;
    return JSON.parse(await nodeFiles.readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function isPending(value: unknown): value is PendingApproval {
  if (!isObject(value)) return false;
  const { id, at, until, tool, runtime, text, mayLast, pid } = value;
  return (
    typeof id === 'string' &&
    ID.test(id) &&
    [at, until].every((time) => typeof time === 'string' && !Number.isNaN(Date.parse(time))) &&
    [tool, runtime, text].every((words) => typeof words === 'string') &&
    typeof mayLast === 'boolean' &&
    typeof pid === 'number'
  );
}
