import { foldSessions } from '../journal/journal-sessions.ts';
import type { OnRecord } from '../journal/reader.ts';
import { isOver } from '../journal/session-facts.ts';
import type { LifecycleSubject, Lifecycles } from './lifecycle.ts';
import { type RecordedSession, type SessionEntry, sessionEntries } from './session-book.ts';
import { SessionUses } from './session-uses.ts';

/** The longest that a runtime can let its sessions live, in milliseconds. */
const LONGEST_LIFETIME = 1_209_600_000;

export interface ReadSessions {
  /** Newest first. */
  readonly entries: readonly SessionEntry[];
  /** A sentence for each file that could not be read. */
  readonly problems: readonly string[];
}

/**
 * What the journal of all programs says of sessions, as of now. Throws where the folder of the
 * journal cannot be listed.
 */
export async function readSessions(options: {
  /** The journal's. */
  readonly folder: string;
  readonly lifecycles: Pick<Lifecycles, 'of'>;
  readonly now: () => number;
  /** Is given every record on the way. */
  readonly onRecord?: OnRecord;
  /** Also returns sessions with these ends, which lists do not show. */
  readonly unlisted?: readonly UnlistedEnd[];
}): Promise<ReadSessions> {
  const { folder, lifecycles, now, onRecord, unlisted = [] } = options;
  const uses = new SessionUses();
  const { facts, owners, problems } = await foldSessions(folder, {
    now: new Date(now()),
    onRecord: (record, file) => {
      uses.add(record);
      onRecord?.(record, file);
    },
  });
  const sessions = [...facts]
    .map(([session, known]) => ({
      facts: known,
      use: uses.of(session),
      owner: owners.get(session),
    }))
    .filter(hasTimes)
    .filter((session) => isIncluded(session, unlisted));
  const lifecycleOf = await lifecycles.of(subjectsOf(sessions, now()));
  return { entries: sessionEntries(sessions, lifecycleOf, now()), problems };
}

/** Those whose end depends on their runtime's settings. */
function subjectsOf(sessions: readonly RecordedSession[], now: number): LifecycleSubject[] {
  return sessions
    .filter(({ facts, use }) => {
      const isRevived = use.lastBegin > Math.max(...use.ends);
      const age = now - Date.parse(facts.lastActiveAt);
      return (!isOver(facts) || isRevived) && age < LONGEST_LIFETIME;
    })
    .map(({ facts }) => facts);
}

/** `lost`: AgentCore never started the session. `dismissed`: until the session is used again. */
export type UnlistedEnd = 'lost' | 'dismissed';

function isIncluded(
  { facts: { end }, use }: RecordedSession,
  unlisted: readonly UnlistedEnd[],
): boolean {
  if (end?.how !== 'lost' && end?.how !== 'dismissed') return true;
  if (unlisted.includes(end.how)) return true;
  return use.lastBegin > Date.parse(end.at);
}

/** What a damaged file says of a session may have none. */
function hasTimes({ facts: { startedAt, lastActiveAt } }: RecordedSession): boolean {
  return !Number.isNaN(Date.parse(startedAt)) && !Number.isNaN(Date.parse(lastActiveAt));
}
