import { readSessionFacts } from '../journal/journal-sessions.ts';
import type { OnRecord } from '../journal/reader.ts';
import { hasEnded } from '../journal/session-facts.ts';
import type { LifecycleCache, LifecycleSubject } from './lifecycle.ts';
import { buildSessionList, type SessionInfo, type SessionRecordSet } from './session-book.ts';
import { SessionActivityIndex } from './session-uses.ts';

/** The longest that a runtime can let its sessions live, in milliseconds. */
const MAX_LIFETIME_MS = 1_209_600_000;

export interface ReadSessions {
  /** Newest first. */
  readonly entries: readonly SessionInfo[];
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
  readonly lifecycles: Pick<LifecycleCache, 'of'>;
  readonly now: () => number;
  /** Is given every record on the way. */
  readonly onRecord?: OnRecord;
  /** Also returns sessions with these ends, which lists do not show. */
  readonly unlisted?: readonly UnlistedEnd[];
}): Promise<ReadSessions> {
  const { folder, lifecycles, now, onRecord, unlisted = [] } = options;
  const uses = new SessionActivityIndex();
  const { facts, owners, problems } = await readSessionFacts(folder, {
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
  const toLifecycle = await lifecycles.of(getLifecycleSubjects(sessions, now()));
  return { entries: buildSessionList(sessions, toLifecycle, now()), problems };
}

/** Those whose end depends on their runtime's settings. */
function getLifecycleSubjects(
  sessions: readonly SessionRecordSet[],
  now: number,
): LifecycleSubject[] {
  return sessions
    .filter(({ facts, use }) => {
      const isRevived = use.lastBegin > Math.max(...use.ends);
      const age = now - Date.parse(facts.lastActiveAt);
      return (!hasEnded(facts) || isRevived) && age < MAX_LIFETIME_MS;
    })
    .map(({ facts }) => facts);
}

/** `lost`: AgentCore never started the session. `dismissed`: until the session is used again. */
export type UnlistedEnd = 'lost' | 'dismissed';

function isIncluded(
  { facts: { end }, use }: SessionRecordSet,
  unlisted: readonly UnlistedEnd[],
): boolean {
  if (end?.how !== 'lost' && end?.how !== 'dismissed') return true;
  if (unlisted.includes(end.how)) return true;
  return use.lastBegin > Date.parse(end.at);
}

/** What a damaged file says of a session may have none. */
function hasTimes({ facts: { startedAt, lastActiveAt } }: SessionRecordSet): boolean {
  return !Number.isNaN(Date.parse(startedAt)) && !Number.isNaN(Date.parse(lastActiveAt));
}
