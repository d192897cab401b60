import { AgentCoreError } from '../error.ts';
import type { SessionInfo } from './session-book.ts';
import { formatTime, sanitizeForTerminal } from './session-words.ts';

/** The fewest characters by which people are shown a session. */
const MIN_LENGTH = 8;

/**
 * The session that a person means: by an id of our own or the beginning of one, or by the id that
 * AgentCore or the server knows it by. Such an id may name several sessions one after the other, of
 * which the one that may still bill is meant, or else the newest.
 *
 * @throws {AgentCoreError} `usage` where none or more than one is meant.
 */
export function findSession(entries: readonly SessionInfo[], id: string): SessionInfo {
  const byOurs = entries.filter((entry) =>
    getRecordIds(entry).some((ours) => ours === id || (id !== '' && ours.startsWith(id))),
  );
  const exact = byOurs.find((entry) => getRecordIds(entry).includes(id));
  if (exact) return exact;
  if (byOurs.length > 1) throw createAmbiguousIdError(id, byOurs);
  const byTheirs = entries.filter(({ runtimeSessionId, returnedId, mcpSessionId }) =>
    [runtimeSessionId, returnedId, mcpSessionId].includes(id),
  );
  const running = byTheirs.filter(({ mayBill }) => mayBill);
  if (running.length > 1) throw createAmbiguousIdError(id, running);
  const found = byOurs[0] ?? running[0] ?? byTheirs[0];
  if (found) return found;
  throw new AgentCoreError(
    'usage',
    `No session on record is "${sanitizeForTerminal(id)}": agentcore-mcp sessions list --all shows them`,
  );
}

/** The ids of our own of a session. */
export function getRecordIds({ id, programs }: SessionInfo): readonly string[] {
  return [...new Set([id, ...programs.map(({ session }) => session)])];
}

/** The beginnings of our ids that are long enough to tell these sessions apart. */
export function abbreviateIds(entries: readonly SessionInfo[]): (entry: SessionInfo) => string {
  const all = entries.flatMap(getRecordIds);
  const isEnough = (length: number) =>
    new Set(all.map((id) => id.slice(0, length))).size === new Set(all).size;
  let length = MIN_LENGTH;
  const longest = Math.max(...all.map((id) => id.length));
  while (length < longest && !isEnough(length)) length++;
  return ({ id }) => id.slice(0, length);
}

function createAmbiguousIdError(id: string, entries: readonly SessionInfo[]): AgentCoreError {
  const abbreviate = abbreviateIds(entries);
  const choices = entries.map((entry) => `${abbreviate(entry)} of ${formatTime(entry.startedAt)}`);
  return new AgentCoreError(
    'usage',
    `"${sanitizeForTerminal(id)}" may be any of ${choices.join(', ')}: give more of its id`,
  );
}
