import { CallFailures } from './call-failures.ts';
import type { Campaign } from './campaign.ts';
import { CALL_TIME_MS } from './environment.ts';
import { type ErrorKind, kindOf } from './error-kinds.ts';
import type { Life } from './life.ts';
import type { Offence } from './offence.ts';
import type { PlannedCall } from './plan.ts';
import type { Asked, Line } from './proxy-client.ts';
import type { ToolName } from './tools.ts';

type RpcError = NonNullable<Line['error']>;

/** The number of retries if AGENTCORE_RETRIES is not set, and the minimum for handshakes. */
const STANDARD_REPEATS = 4;
/** Maximum number of times that one call is sent again because its session is lost. */
const MAX_REPLAYS = 3;

const IDEMPOTENT: ReadonlySet<ToolName> = new Set(['look', 'set']);

/** Judges every error of a call by the faults that affected the call and its handshakes. */
export function judgeErrors({
  lives,
  network,
  slowness,
}: Pick<Campaign, 'lives' | 'network' | 'slowness'>): Offence[] {
  const timeMs = CALL_TIME_MS * slowness;
  return lives.flatMap((life) => {
    const calls = new Map(life.planned.calls.map((call) => [call.key, call]));
    return [...life.client.asked.values()].flatMap((asked) => {
      const call = calls.get(asked.key ?? '');
      const error = asked.answers[0]?.error;
      // No client waits for a cancelled call, so the proxy does not retry it.
      if (!call || !error || asked.cancelled) return [];
      const failures = new CallFailures({ network, life, asked, key: call.key, slowness });
      // A busy machine runs out of time without a fault.
      const isSlow = slowness > 1 && error.data?.reason === 'timeout';
      const hasFault = isSlow || failures.hasFault(timeMs);
      const why = reasonToShow(error, call, life, { failures, hasFault }, timeMs);
      if (why !== undefined) return [];
      const words = `${call.tool} after ${Math.round(asked.milliseconds)} ms: ${JSON.stringify(error)}`;
      return [{ rule: 'no error that could be hidden is shown', words, key: call.key }];
    });
  });
}

/**
 * The reason for which the proxy may return an error, or `undefined` if it had to retry the call.
 */
function reasonToShow(
  error: RpcError,
  { tool }: PlannedCall,
  { planned, client }: Life,
  { failures, hasFault }: { readonly failures: CallFailures; readonly hasFault: boolean },
  timeMs: number,
): string | undefined {
  const message = error.message ?? '';
  const [, cause] =
    /could not be set up: (?:The server refused to be initialized again: )?(.*)/s.exec(message) ??
    [];
  if (cause !== undefined) {
    // Handshakes are retried regardless of the setting for calls.
    return reasonNotToRepeat(
      kindOf({ ...error, message: cause }),
      Math.max(STANDARD_REPEATS, repeatsOf(planned.env)),
      failures.ofHandshake(timeMs),
      timeMs,
    );
  }
  const kind = kindOf(error);
  if (kind !== 'ended' && !hasFault) return undefined;
  switch (kind) {
    case 'ended':
      return planned.end.open ? 'the proxy was ended' : undefined;
    case 'unknown':
      if (!IDEMPOTENT.has(tool)) return 'the tool may have run';
      if (!knowsTools([...client.asked.values()])) return 'the tool was never listed';
      break;
    case 'lost':
      if (failures.hasUnansweredProbe) return 'a probe was not answered';
      return failures.losses > MAX_REPLAYS ? 'each session was lost' : undefined;
  }
  return reasonNotToRepeat(kind, repeatsOf(planned.env), failures.ofCall(), timeMs);
}

function reasonNotToRepeat(
  kind: ErrorKind,
  repeats: number,
  { failures, pauseMs, spentMs }: ReturnType<CallFailures['ofCall']>,
  timeMs: number,
): string | undefined {
  if (kind === 'own') return 'it is the answer of the server';
  if (kind === 'lasting') return 'another attempt would fail as well';
  if (kind === 'ended') return 'the proxy was ended';
  if (repeats === 0) return 'nothing is to be repeated';
  // Refusals by a busy service do not count as retries.
  if (kind !== 'busy' && failures > repeats) return 'it failed as often as it may';
  return spentMs + pauseMs >= timeMs ? 'its time is over' : undefined;
}

function repeatsOf(env: Readonly<Record<string, string>>): number {
  return Number(env.AGENTCORE_RETRIES ?? STANDARD_REPEATS);
}

/** True if the client has listed the tools, so that the proxy knows which ones may run twice. */
function knowsTools(asked: readonly Asked[]): boolean {
  return asked.some(
    ({ method, answers }) => method === 'tools/list' && answers[0]?.result !== undefined,
  );
}
