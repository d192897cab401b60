import { type CostRange, estimateCost, estimateIdleCost, NO_COST } from '../aws/pricing.ts';
import { AgentCoreError } from '../base/errors.ts';
import { formatTime, sanitizeForTerminal } from '../base/format.ts';
import type { JournalSource } from '../state/journal/reader.ts';
import type { SessionFacts, SessionOrigin } from '../state/journal/records.ts';
import type { Lifecycle, LifecycleSubject } from './lifecycle.ts';
import {
  createTimeline,
  mergeSpans,
  type SessionTimeline,
  type SessionUse,
} from './session-usage.ts';

/**
 * The list of runtime sessions as people and scripts see it: state, timeouts, cost and ids of each,
 * computed from journal facts. Also finds one session by an id from the command line.
 */

/**
 * The state of a session:
 *
 * - `active`: calls are open.
 * - `idle`: no calls are open, and no timeout has passed.
 * - `orphaned`: idle, but its programs have ended without keeping it on purpose.
 * - `expired`: the idle timeout or the maximum lifetime has passed.
 * - `stopped`: the journal contains its end: stopped, gone, lost or dismissed.
 */
type SessionState = 'active' | 'idle' | 'expired' | 'stopped' | 'orphaned';

/** A program with records of the session. */
export interface SessionProgram {
  /** Local id of the session in the records of this program. */
  readonly session: string;
  readonly program: string;
  readonly pid: number;
  readonly host: string;
  /** `elsewhere`: on another machine, so the process cannot be checked. */
  readonly liveness: 'alive' | 'dead' | 'elsewhere';
}

/** A runtime session as lists and `--json` show it: plain data, times in ISO 8601. */
export interface SessionInfo extends SessionOrigin {
  /** Local id in its oldest record. */
  readonly id: string;
  readonly state: SessionState;
  /** True if the session may still run and cost money: neither `stopped` nor `expired`. */
  readonly mayBill: boolean;
  readonly returnedId: string | undefined;
  readonly mcpSessionId: string | undefined;
  /** False if no response has contained an id of the session yet. */
  readonly idsKnown: boolean;
  /** Possible ids for StopRuntimeSession, the likelier one first. */
  readonly stopIds: readonly string[];
  readonly programs: readonly SessionProgram[];
  readonly startedAt: string;
  readonly lastActiveAt: string;
  /** End of the session, as exact as the records allow. `undefined` if it may still run. */
  readonly endedAt: string | undefined;
  /** Latest end if the session is not used again. `undefined` if it has ended. */
  readonly mayBillUntil: string | undefined;
  /** Milliseconds from its start until now or until its end. */
  readonly age: number;
  /** Milliseconds until the idle timeout. The full timeout if calls are open, 0 after the end. */
  readonly idleLeft: number;
  /** Milliseconds until the maximum lifetime. 0 if the session has ended. */
  readonly lifetimeLeft: number;
  readonly lifecycle: Lifecycle;
  /** True if calls were open when its program ended. They may still run in the microVM. */
  readonly mayRunOn: boolean;
  /** Number of open calls. */
  readonly open: number;
  /** Number of ended calls. */
  readonly calls: number;
  /** Cost until now, in US$. */
  readonly cost: CostRange;
  /** Further cost in US$ if the session is neither used nor stopped. */
  readonly costToCome: CostRange;
  readonly stopFailure: SessionFacts['stopFailure'];
}

/** The facts from the journal about one local session id. */
export interface SessionRecordSet {
  readonly facts: SessionFacts;
  readonly use: SessionUse;
  readonly owner: Pick<JournalSource, 'head' | 'liveness' | 'heartbeatAt'> | undefined;
}

/** Maximum duration of a call in AgentCore: one hour, for a streaming response. */
const MAX_CALL_MS = 3_600_000;

/** Maximum time value of a `Date`. */
const MAX_DATE_MS = 8.64e15;

/** Milliseconds without a heartbeat until calls of a program on another machine are ignored. */
const HEARTBEAT_TIMEOUT_MS = 60_000;

/**
 * Groups the records by runtime session and computes state, timeouts and cost of each. Returns the
 * newest session first.
 *
 * @param now Milliseconds since 1970.
 */
export function buildSessionList(
  sessions: readonly SessionRecordSet[],
  getLifecycle: (subject: LifecycleSubject) => Lifecycle,
  now: number,
): readonly SessionInfo[] {
  const byStart = [...sessions].sort((one, other) => getStartTime(one) - getStartTime(other));
  const groups: Group[] = [];
  const latest = new Map<string, Group>();
  for (const session of byStart) {
    const key = getKey(session.facts);
    const group = latest.get(key);
    if (group && getStartTime(session) <= group.endsAt) {
      group.add(session);
      continue;
    }
    const next = new Group(session, getLifecycle(session.facts), now);
    latest.set(key, next);
    groups.push(next);
  }
  return groups.map((group) => group.entry()).reverse();
}

/**
 * Returns the same key for records of one runtime session: programs with the same identity send the
 * same runtime session id. If the server returned different `Mcp-Session-Id`s, there are two
 * sessions.
 */
function getKey(facts: SessionFacts): string {
  const { runtime, qualifier = 'DEFAULT', endpoint, mcpSessionId, runtimeSessionId } = facts;
  return JSON.stringify([runtime, qualifier, endpoint, mcpSessionId ?? runtimeSessionId]);
}

/** The records of one runtime session. */
class Group {
  readonly #members: SessionRecordSet[];
  readonly #lifecycle: Lifecycle;
  readonly #now: number;

  constructor(first: SessionRecordSet, lifecycle: Lifecycle, now: number) {
    this.#members = [first];
    this.#lifecycle = lifecycle;
    this.#now = now;
  }

  add(member: SessionRecordSet): void {
    this.#members.push(member);
  }

  /** End of the session if it is not used again, in milliseconds since 1970. */
  get endsAt(): number {
    return getEndTime(this.#life());
  }

  entry(): SessionInfo {
    const members = this.#members;
    const now = this.#now;
    const life = this.#life();
    const state = this.#state(life);
    const mayBill = state !== 'stopped' && state !== 'expired';
    const first = (members[0] as SessionRecordSet).facts;
    const newest = (members.at(-1) as SessionRecordSet).facts;
    const startedAt = Date.parse(first.startedAt);
    const lastActiveAt = Math.max(...members.map(({ facts }) => Date.parse(facts.lastActiveAt)));
    const end = getEndTime(life);
    // The idle timeout starts only after the last call has ended.
    const latest = state === 'active' ? life.lifetimeUntil : end;
    const left = (moment: number) => (mayBill ? Math.max(0, moment - now) : 0);
    const failures = members.flatMap(({ facts }) => facts.stopFailure ?? []);
    return {
      id: first.session,
      state,
      mayBill,
      runtimeSessionId: newest.runtimeSessionId,
      returnedId: findLastValue(members, ({ facts }) => facts.returnedId),
      mcpSessionId: findLastValue(members, ({ facts }) => facts.mcpSessionId),
      idsKnown: members.some(({ facts }) => facts.returnedId ?? facts.mcpSessionId),
      stopIds: [...new Set(members.flatMap(({ facts }) => getSessionIds(facts)))],
      runtime: newest.runtime,
      qualifier: newest.qualifier,
      mode: newest.mode,
      endpoint: newest.endpoint,
      profile: newest.profile,
      assumeRole: newest.assumeRole,
      authorization: newest.authorization,
      programs: members.flatMap(getPrograms),
      startedAt: toIsoTime(startedAt),
      lastActiveAt: toIsoTime(lastActiveAt),
      endedAt: mayBill ? undefined : toIsoTime(end),
      mayBillUntil: mayBill ? toIsoTime(latest) : undefined,
      age: Math.max(0, (mayBill ? now : end) - startedAt),
      idleLeft: left(life.idleUntil),
      lifetimeLeft: left(life.lifetimeUntil),
      lifecycle: this.#lifecycle,
      mayRunOn: mayBill && this.#unseen > 0,
      open: state === 'active' ? sum(members.map(({ use }) => use.open)) : 0,
      calls: sum(members.map(({ facts }) => facts.calls)),
      cost: { least: estimateCost(life.ran.least).least, most: estimateCost(life.ran.most).most },
      costToCome: mayBill ? this.#costToCome(state, life) : NO_COST,
      stopFailure: mayBill ? failures.sort(compareByTime).at(-1) : undefined,
    };
  }

  #state(life: SessionTimeline): SessionState {
    const members = this.#members;
    if (life.endedAt !== undefined) return 'stopped';
    if (members.some((member) => this.#isCalling(member))) return 'active';
    if (this.#now >= getEndTime(life)) return 'expired';
    const isWanted = members.some(
      ({ facts, owner }) =>
        facts.end?.how === 'left' || (owner !== undefined && owner.liveness !== 'dead'),
    );
    return isWanted ? 'idle' : 'orphaned';
  }

  /**
   * An idle session costs memory until its idle timeout. Open calls may end immediately, or use all
   * CPUs until the maximum lifetime.
   */
  #costToCome(state: SessionState, life: SessionTimeline): CostRange {
    const now = this.#now;
    const lifetimeLeft = Math.max(0, life.lifetimeUntil - now);
    const idleLeft = Math.min(lifetimeLeft, Math.max(0, life.idleFrom - now));
    const { least } = estimateIdleCost(idleLeft);
    if (state === 'active') return { least, most: estimateCost(lifetimeLeft).most };
    const left = Math.min(lifetimeLeft, Math.max(0, life.idleUntil - now));
    const busyLeft = Math.max(0, left - this.#lifecycle.idleTimeout);
    return { least, most: estimateCost(busyLeft).most + estimateIdleCost(left - busyLeft).most };
  }

  #life(): SessionTimeline {
    const members = this.#members;
    const ends = members.flatMap(({ use }) => use.ends);
    const lastBegin = Math.max(...members.map(({ use, facts }) => getLastStart(use, facts)));
    const spans = members.flatMap((member) => {
      const { use, facts } = member;
      const [from, to] = [Date.parse(facts.startedAt), Date.parse(facts.lastActiveAt)];
      const known = use.spans.length > 0 ? use.spans : [{ from, to: Math.max(from, to) }];
      if (use.open === 0) return known;
      const lastUse = known.at(-1)?.to ?? to;
      return [...known, { from: lastUse, to: Math.max(lastUse, this.#seenBusyAt(member)) }];
    });
    return createTimeline({
      spans: mergeSpans(spans),
      lastBegin,
      ends,
      unseen: this.#unseen,
      lifecycle: this.#lifecycle,
      now: this.#now,
    });
  }

  /** Maximum milliseconds of calls in the microVM after their program has ended. */
  get #unseen(): number {
    const isCutOff = (member: SessionRecordSet) => member.use.open > 0 && !this.#isCalling(member);
    return this.#members.some(isCutOff) ? MAX_CALL_MS : 0;
  }

  #isCalling({ use, owner }: SessionRecordSet): boolean {
    if (use.open === 0 || !owner || owner.liveness === 'dead') return false;
    if (owner.liveness === 'alive') return true;
    return this.#now - owner.heartbeatAt.getTime() < HEARTBEAT_TIMEOUT_MS;
  }

  #seenBusyAt(member: SessionRecordSet): number {
    if (this.#isCalling(member)) return this.#now;
    return Math.min(this.#now, member.owner?.heartbeatAt.getTime() ?? -Infinity);
  }
}

function getEndTime({ idleUntil, lifetimeUntil, endedAt = Infinity }: SessionTimeline): number {
  return Math.min(idleUntil, lifetimeUntil, endedAt);
}

function getLastStart(use: SessionUse, facts: SessionFacts): number {
  return Math.max(use.lastBegin, Date.parse(facts.startedAt));
}

function getStartTime({ facts }: SessionRecordSet): number {
  return Date.parse(facts.startedAt);
}

function getSessionIds({ returnedId, runtimeSessionId, mcpSessionId }: SessionFacts): string[] {
  return [returnedId ?? runtimeSessionId, ...(mcpSessionId === undefined ? [] : [mcpSessionId])];
}

function getPrograms({ facts, owner }: SessionRecordSet): SessionProgram[] {
  if (!owner) return [];
  const { program, pid, host } = owner.head;
  return [{ session: facts.session, program, pid, host, liveness: owner.liveness }];
}

function findLastValue<T, V>(
  items: readonly T[],
  value: (item: T) => V | undefined,
): V | undefined {
  return items.map(value).findLast((found) => found !== undefined);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function compareByTime(one: { readonly at: string }, other: { readonly at: string }): number {
  return one.at < other.at ? -1 : one.at > other.at ? 1 : 0;
}

/** Clamps the time, because a damaged file must not prevent the list of the other sessions. */
function toIsoTime(time: number): string {
  return new Date(Math.min(time, MAX_DATE_MS)).toISOString();
}

/** Minimum number of characters of an abbreviated id. */
const MIN_LENGTH = 8;

/**
 * Finds a session by its local id, a prefix of it, its runtime session id or its `Mcp-Session-Id`.
 * If several sessions had the same id one after the other, it returns the one with `mayBill`, or
 * else the newest.
 *
 * @throws {AgentCoreError} `usage` if no session matches, or more than one.
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

/** The local ids of a session, one for each of its programs. */
export function getRecordIds({ id, programs }: SessionInfo): readonly string[] {
  return [...new Set([id, ...programs.map(({ session }) => session)])];
}

/** Shortens local ids to prefixes of one length, unique among these sessions. */
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
