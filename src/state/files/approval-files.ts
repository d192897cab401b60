import * as nodeFiles from 'node:fs/promises';
import { join } from 'node:path';
import { sleep } from '../../base/async.ts';
import { createFileOnce } from '../../base/files.ts';
import { isObject } from '../../mcp/message.ts';
import { listFileNames, prepareFolder } from '../journal/segment.ts';
import type { ApprovalStore, GivenAnswer, PendingApproval } from '../store.ts';

/** Milliseconds between checks for an answer. */
const POLL_INTERVAL_MS = 250;

/** Maximum pending questions of all programs together. */
const MAX_PENDING = 100;

/** Maximum files to read. If programs crash, their files stay until the next question. */
const MAX_FILES = 1_000;

/** Maximum bytes of a question or answer file. */
const MAX_FILE_BYTES = 256 * 1024;

const ANSWER = /^(.+)\.answer$/;

const ID = /^[\da-f-]{36}$/;

/** Questions about calls with a required approval, and their answers, as files for all programs. */
export class ApprovalFiles implements ApprovalStore {
  readonly folder: string;
  readonly #now: () => number;

  /** @param folder Created if missing. */
  constructor(folder: string, now: () => number = Date.now) {
    this.folder = folder;
    this.#now = now;
  }

  /** Rejects if the folder is not writable. */
  async put(pending: PendingApproval): Promise<boolean> {
    await this.removeExpired();
    if ((await this.list()).length >= MAX_PENDING) return false;
    await prepareFolder(nodeFiles, this.folder);
    return createFileOnce(join(this.folder, `${pending.id}.json`), `${JSON.stringify(pending)}\n`);
  }

  /** Ignores invalid files. */
  async list(): Promise<PendingApproval[]> {
    const all = await this.#readAll();
    const names = new Set(await listFileNames(this.folder));
    return all
      .filter(({ id, until }) => Date.parse(until) > this.#now() && !names.has(`${id}.answer`))
      .sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
  }

  async answer({ id, mayLast }: PendingApproval, answer: GivenAnswer): Promise<boolean> {
    if (answer === 'session' && !mayLast) return false;
    const question = await nodeFiles.stat(join(this.folder, `${id}.json`)).catch(() => undefined);
    if (!question) return false;
    return createFileOnce(
      join(this.folder, `${id}.answer`),
      `${JSON.stringify({ allow: answer })}\n`,
    );
  }

  async wait(
    { id, until }: PendingApproval,
    signal: AbortSignal,
  ): Promise<GivenAnswer | undefined> {
    while (this.#now() < Date.parse(until)) {
      const given = await this.readAnswer(id);
      if (given) return given;
      await sleep(POLL_INTERVAL_MS, signal);
    }
    return undefined;
  }

  async remove(id: string): Promise<void> {
    for (const end of ['json', 'answer']) {
      await nodeFiles.rm(join(this.folder, `${id}.${end}`), { force: true }).catch(() => undefined);
    }
  }

  /** Removes files left by ended programs after their questions expired. */
  async removeExpired(): Promise<void> {
    for (const { id, until } of await this.#readAll()) {
      if (Date.parse(until) <= this.#now()) await this.remove(id);
    }
    const names = new Set(await listFileNames(this.folder));
    for (const name of names) {
      const [, id] = ANSWER.exec(name) ?? [];
      // An answer without a question: it arrived too late.
      if (id && !names.has(`${id}.json`)) await this.remove(id);
    }
  }

  /** `undefined` until there is an answer. Anything other than a clear yes counts as a no. */
  async readAnswer(id: string): Promise<GivenAnswer | undefined> {
    const path = join(this.folder, `${id}.answer`);
    if (!(await nodeFiles.lstat(path).catch(() => undefined))) return undefined;
    const read = await readSmall(path);
    const allow = isObject(read) ? read.allow : undefined;
    return allow === 'once' || allow === 'session' ? allow : 'deny';
  }

  async #readAll(): Promise<PendingApproval[]> {
    const names = (await listFileNames(this.folder)).filter((name) => name.endsWith('.json'));
    const all = await Promise.all(
      names.slice(0, MAX_FILES).map(async (name) => {
        const read = await readSmall(join(this.folder, name));
        return isPending(read) && `${read.id}.json` === name ? [read] : [];
      }),
    );
    return all.flat();
  }
}

/** The folder of questions and answers in the state folder. */
export function getApprovalsDirectory(state: string): string {
  return join(state, 'approvals');
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
