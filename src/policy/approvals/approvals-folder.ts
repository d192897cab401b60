import { randomUUID } from 'node:crypto';
import * as nodeFiles from 'node:fs/promises';
import { join } from 'node:path';
import { namesIn } from '../../journal/journal-files.ts';
import { prepareFolder } from '../../journal/journal-part.ts';
import { isObject } from '../../mcp/message.ts';

/** A question that waits for a person, as it lies in a file. */
export interface PendingApproval {
  /** Names the file, and the one of its answer. */
  readonly id: string;
  readonly at: string;
  /** When nobody waits for an answer any more. */
  readonly until: string;
  readonly tool: string;
  readonly runtime: string;
  /** The question in words, as every person who is asked sees it. */
  readonly text: string;
  /** Whether the answer may hold for the rest of the session. */
  readonly mayLast: boolean;
  readonly pid: number;
}

/** How a person has answered. */
export type GivenAnswer = 'once' | 'session' | 'deny';

/** Questions that wait at once at the most, of all programs. */
export const MOST_PENDING = 100;
/** Files that are looked at: programs that crash leave some until the next question. */
const MOST_FILES = 1_000;
/** Bytes of a question's file, and of an answer's. */
const LARGEST = 256 * 1024;
const ANSWER = /^(.+)\.answer$/;
const ID = /^[\da-f-]{36}$/;

/** Where questions and answers lie, given the state folder. */
export function approvalsFolder(state: string): string {
  return join(state, 'approvals');
}

/** Puts a question where others find it. Rejects where the folder cannot be written. */
export async function writePending(folder: string, pending: PendingApproval): Promise<void> {
  await prepareFolder(nodeFiles, folder);
  await writeWhole(join(folder, `${pending.id}.json`), pending);
}

/** Takes a question and its answer away, whatever is there of them. */
export async function removePending(folder: string, id: string): Promise<void> {
  for (const end of ['json', 'answer']) {
    await nodeFiles.rm(join(folder, `${id}.${end}`), { force: true }).catch(() => undefined);
  }
}

/** The questions that wait for an answer now, oldest first; what is none is passed over. */
export async function readPending(folder: string, now: number): Promise<PendingApproval[]> {
  const all = await readAll(folder);
  const names = new Set(await namesIn(folder));
  return all
    .filter(({ id, until }) => Date.parse(until) > now && !names.has(`${id}.answer`))
    .sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
}

/** Removes what programs left behind that ended before their questions did. */
export async function removeExpired(folder: string, now: number): Promise<void> {
  for (const { id, until } of await readAll(folder)) {
    if (Date.parse(until) <= now) await removePending(folder, id);
  }
  const names = new Set(await namesIn(folder));
  for (const name of names) {
    const [, id] = ANSWER.exec(name) ?? [];
    // One that came when nobody waited any more.
    if (id && !names.has(`${id}.json`)) await removePending(folder, id);
  }
}

/**
 * Answers a question, once.
 *
 * @returns false where it waits no longer, or was answered already.
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

/** Undefined as long as there is none; anything but a plain yes is a no. */
export async function readAnswerFile(folder: string, id: string): Promise<GivenAnswer | undefined> {
  const path = join(folder, `${id}.answer`);
  if (!(await nodeFiles.lstat(path).catch(() => undefined))) return undefined;
  const read = await readSmall(path);
  const allow = isObject(read) ? read.allow : undefined;
  return allow === 'once' || allow === 'session' ? allow : 'deny';
}

async function readAll(folder: string): Promise<PendingApproval[]> {
  const names = (await namesIn(folder)).filter((name) => name.endsWith('.json'));
  const all = await Promise.all(
    names.slice(0, MOST_FILES).map(async (name) => {
      const read = await readSmall(join(folder, name));
      return isPending(read) && `${read.id}.json` === name ? [read] : [];
    }),
  );
  return all.flat();
}

/** The file is there whole or not at all, and the first one stays. */
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
    if (!status.isFile() || status.size > LARGEST) return undefined;
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
