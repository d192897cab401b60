import { AgentCoreError } from '../error.ts';
import type { SessionEntry } from './session-book.ts';
import { formatTime, printable } from './session-words.ts';

/** The fewest characters by which people are shown a session. */
const SHORTEST = 8;

/**
 * The session that a person means: by an id of our own or the beginning of one, or by the id that
 * AgentCore or the server knows it by. Such an id may name several sessions one after the other, of
 * which the one that may still bill is meant, or else the newest.
 *
 * @throws {AgentCoreError} `usage` where none or more than one is meant.
 */
export function findSession(entries: readonly SessionEntry[], id: string): SessionEntry {
  const byOurs = entries.filter((entry) =>
    oursOf(entry).some((ours) => ours === id || (id !== '' && ours.startsWith(id))),
  );
  const exact = byOurs.find((entry) => oursOf(entry).includes(id));
  if (exact) return exact;
  if (byOurs.length > 1) throw ambiguous(id, byOurs);
  const byTheirs = entries.filter(({ runtimeSessionId, returnedId, mcpSessionId }) =>
    [runtimeSessionId, returnedId, mcpSessionId].includes(id),
  );
  const running = byTheirs.filter(({ mayBill }) => mayBill);
  if (running.length > 1) throw ambiguous(id, running);
  const found = byOurs[0] ?? running[0] ?? byTheirs[0];
  if (found) return found;
  throw new AgentCoreError(
    'usage',
    `No session on record is "${printable(id)}": agentcore-mcp sessions list --all shows them`,
  );
}

/** The ids of our own of a session. */
export function oursOf({ id, programs }: SessionEntry): readonly string[] {
  return [...new Set([id, ...programs.map(({ session }) => session)])];
}

/** The beginnings of our ids that are long enough to tell these sessions apart. */
export function shortIds(entries: readonly SessionEntry[]): (entry: SessionEntry) => string {
  const all = entries.flatMap(oursOf);
  const isEnough = (length: number) =>
    new Set(all.map((id) => id.slice(0, length))).size === new Set(all).size;
  let length = SHORTEST;
  const longest = Math.max(...all.map((id) => id.length));
  while (length < longest && !isEnough(length)) length++;
  return ({ id }) => id.slice(0, length);
}

function ambiguous(id: string, entries: readonly SessionEntry[]): AgentCoreError {
  const shortOf = shortIds(entries);
  const choices = entries.map((entry) => `${shortOf(entry)} of ${formatTime(entry.startedAt)}`);
  return new AgentCoreError(
    'usage',
    `"${printable(id)}" may be any of ${choices.join(', ')}: give more of its id`,
  );
}
