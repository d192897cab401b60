import { setTimeout as delay } from 'node:timers/promises';
import { AgentCoreError, messageOf } from '../error.ts';
import type { SessionAccess } from './session-access.ts';
import type { SessionEntry } from './session-book.ts';
import { formatTime } from './session-words.ts';

/** Milliseconds for one session, conflicts and throttling included. */
const STOP_WITHIN = 20_000;
/** Milliseconds between two attempts while AgentCore throttles: at first, and at the most. */
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 4_000;
/** AgentCore throttles, so a crowd of sessions is not stopped all at once. */
const AT_ONCE = 8;

export type StopOutcome =
  | { readonly how: 'stopped' | 'gone' }
  | {
      readonly how: 'failed';
      readonly reason: string;
      /** What was thrown, where something was. */
      readonly cause?: unknown;
    };

/** Stops sessions, some at a time, and tells of each as soon as it is done. Never throws. */
export async function stopSessions(
  entries: readonly SessionEntry[],
  options: {
    readonly access: Pick<SessionAccess, 'stopperOf'>;
    readonly signal: AbortSignal;
    readonly onOutcome: (entry: SessionEntry, outcome: StopOutcome) => void | Promise<void>;
  },
): Promise<void> {
  const waiting = [...entries];
  const worker = async () => {
    for (let entry = waiting.shift(); entry; entry = waiting.shift()) {
      const outcome = await stopSession(entry, options.access, options.signal);
      await options.onOutcome(entry, outcome);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function stopSession(
  entry: SessionEntry,
  access: Pick<SessionAccess, 'stopperOf'>,
  asked: AbortSignal,
): Promise<StopOutcome> {
  if (asked.aborted) return failed('interrupted before it was tried');
  const signal = AbortSignal.any([asked, AbortSignal.timeout(STOP_WITHIN)]);
  try {
    const { wasGone } = await stopPatiently(entry, access, signal);
    if (!wasGone) return { how: 'stopped' };
    return entry.idsKnown || !entry.mayBill ? { how: 'gone' } : failed(unknownId(entry));
  } catch (thrown) {
    if (asked.aborted) return failed('interrupted');
    if (signal.aborted && isAbort(thrown))
      return failed(`no answer within ${STOP_WITHIN / 1000} s`, thrown);
    return failed(withNeed(reasonOf(thrown), thrown, entry), thrown);
  }
}

/** Conflicts are retried by the stopper, and throttling here, for as long as the signal allows. */
async function stopPatiently(
  entry: SessionEntry,
  access: Pick<SessionAccess, 'stopperOf'>,
  signal: AbortSignal,
): Promise<{ readonly wasGone: boolean }> {
  const stopper = await access.stopperOf(entry);
  for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    try {
      return await stopper.stop(entry.stopIds, signal);
    } catch (thrown) {
      if (!isThrottling(thrown)) throw thrown;
      await delay(pause * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {
        throw thrown;
      });
    }
  }
}

/** Its microVM may go by an id that was never learnt, so that none by this one proves nothing. */
function unknownId({ mayBillUntil }: SessionEntry): string {
  const until = mayBillUntil ? ` until ${formatTime(mayBillUntil)}` : '';
  return `AgentCore knows no session by the id that was sent, and its own was never learnt; it may bill${until}`;
}

/** Without the token that its invokes carried, only IAM credentials were tried. */
function withNeed(reason: string, thrown: unknown, { authorization }: SessionEntry): string {
  const isByIam = !(thrown instanceof AgentCoreError) || thrown.code === 'credentials';
  if (authorization === undefined || !isByIam) return reason;
  const variables =
    authorization === 'oauth'
      ? 'AGENTCORE_OAUTH_CLIENT_ID and AGENTCORE_OAUTH_CLIENT_SECRET'
      : 'AGENTCORE_TOKEN_COMMAND';
  return `${reason.replace(/[.;:\s]+$/, '')}; its runtime takes bearer tokens, so set ${variables} as they were set for the program that began it`;
}

function failed(reason: string, cause?: unknown): StopOutcome {
  return { how: 'failed', reason, ...(cause !== undefined && { cause }) };
}

function reasonOf(thrown: unknown): string {
  const message = messageOf(thrown);
  if (!(thrown instanceof Error) || thrown instanceof AgentCoreError) return message;
  return thrown.name === 'Error' || message.includes(thrown.name)
    ? message
    : `${thrown.name}: ${message}`;
}

function isAbort(thrown: unknown): boolean {
  return thrown instanceof Error && ['AbortError', 'TimeoutError'].includes(thrown.name);
}

function isThrottling(thrown: unknown): boolean {
  const { name, $metadata } = thrown as {
    readonly name?: string;
    readonly $metadata?: { readonly httpStatusCode?: number };
  };
  return name === 'ThrottlingException' || $metadata?.httpStatusCode === 429;
}
