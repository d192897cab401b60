import type { Campaign } from './campaign.ts';
import { CALL_TIME_MS } from './environment.ts';
import type { Offence } from './offence.ts';
import type { PlannedCall, PlannedLife } from './plan.ts';
import type { Asked, Line } from './proxy-client.ts';
import type { ToolName } from './tools.ts';

type Judged = Pick<Campaign, 'lives' | 'log' | 'slowness'>;
type RpcError = NonNullable<Line['error']>;

/** Repetitions if AGENTCORE_RETRIES is not set. */
const STANDARD_REPEATS = 4;
/** Milliseconds before the first repetition; each further one waits up to twice as long. */
const FIRST_PAUSE_MS = 200;
/** The longest that a fault of the plan asks to be left alone. */
const RETRY_AFTER_MS = 1_000;

const IDEMPOTENT: ReadonlySet<ToolName> = new Set(['look', 'set']);

/**
 * What an error says of its call. `own`: the server's answer. `lasting`: a refusal that another
 * attempt would meet as well. `passing`: one that it would not. `unknown`: it may have run. `ended`:
 * the proxy was ended. `lost`: that its session is gone.
 */
type Kind = 'own' | 'lasting' | 'passing' | 'unknown' | 'ended' | 'lost';

/** What else decides whether an error could be hidden. */
interface Circumstances {
  /** True if the client has listed the tools, so that the proxy knows which may run twice. */
  readonly knowsTools: boolean;
  /** Milliseconds that a call has altogether. */
  readonly timeMs: number;
  /** Whether a probe of the call's runtime got no answer meanwhile. */
  readonly probes: () => boolean;
  /** Attempts of the call that failed, apart from refusals. */
  readonly failures: number;
}

/** What the parts of a campaign say, first match first. */
const WORDS: readonly (readonly [RegExp, Kind])[] = [
  [/program was ended|proxy has ended|other side has ended/, 'ended'],
  // A handshake that has used up its time began before the last calls that waited for it.
  [/HTTP 40[1239]|ExpiredToken|no MCP message|aborted due to timeout/, 'lasting'],
  [/unknown|may still be running/, 'unknown'],
  [/^Invalid arguments for \w+$|^please retry$|^Quota is used up$/, 'own'],
  [/Resource conflict|Validation error|Resource not found - Requested|maxVms limit/, 'lasting'],
  [/Rate limit exceeded|Rate exceeded|operation in progress/, 'passing'],
  [/Runtime initialization time exceeded/, 'passing'],
  [/Tool execution error|Internal error - Server error|An internal error occurred/, 'unknown'],
];

/** Errors without words that the table knows, by their HTTP status. */
const STATUSES: Readonly<Record<number, Kind>> = {
  401: 'lasting',
  402: 'lasting',
  403: 'lasting',
  424: 'unknown',
  429: 'passing',
  500: 'unknown',
  502: 'unknown',
  503: 'unknown',
  504: 'unknown',
};

/** Holds every error of a call against the reasons for which it could not be hidden. */
export function judgeErrors({ lives, log, slowness }: Judged): Offence[] {
  const timeMs = CALL_TIME_MS * slowness;
  return lives.flatMap((life) => {
    const asked = [...life.client.asked.values()];
    const calls = new Map(life.planned.calls.map((call) => [call.key, call]));
    const knowsTools = asked.some(
      ({ method, answers }) => method === 'tools/list' && answers[0]?.result !== undefined,
    );
    return asked.flatMap((one) => {
      const call = calls.get(one.key ?? '');
      const error = one.answers[0]?.error;
      // Nobody waits for a call that was cancelled, so nobody repeats it.
      if (!call || !error || one.cancelled) return [];
      const probes = () => log.hasUnanswered('tools/list', life.planned.runtime, one);
      const failures = log.failuresOf(call.key);
      if (!couldBeHidden(error, one, call, life.planned, { knowsTools, timeMs, probes, failures }))
        return [];
      const words = `${call.tool} after ${Math.round(one.milliseconds)} ms: ${JSON.stringify(error)}`;
      return [{ rule: 'no error that could be hidden is shown', words, key: call.key }];
    });
  });
}

function kindOf({ message = '', data = {} }: RpcError): Kind {
  const { status, name, outcome } = data;
  if (name === 'RetryableConflictException') return 'passing';
  const [, kind] = WORDS.find(([words]) => words.test(message)) ?? [];
  if (kind) return kind;
  if (outcome === 'unknown') return 'unknown';
  if (outcome === 'not sent') return 'passing';
  return STATUSES[Number(status)] ?? 'lost';
}

function couldBeHidden(
  { message = '', ...error }: RpcError,
  { milliseconds }: Asked,
  { tool }: PlannedCall,
  { env, end }: PlannedLife,
  { knowsTools, timeMs, probes, failures }: Circumstances,
): boolean {
  // The time that is left has to be longer than the longest pause that could come next.
  const hasTime = (repeats: number) => {
    const pauseMs = Math.max(RETRY_AFTER_MS, FIRST_PAUSE_MS * 2 ** (repeats - 1));
    return milliseconds + pauseMs < timeMs;
  };
  const [, cause] = /could not be set up: (.*)/s.exec(message) ?? [];
  if (cause !== undefined) {
    // A handshake is repeated whatever the calls are set to.
    const kind = kindOf({ ...error, message: cause });
    return kind !== 'lasting' && kind !== 'ended' && hasTime(STANDARD_REPEATS);
  }
  const repeats = Number(env.AGENTCORE_RETRIES ?? STANDARD_REPEATS);
  switch (kindOf({ ...error, message })) {
    case 'own':
    case 'lasting':
      return false;
    case 'ended':
      return !end.open;
    case 'passing':
      return repeats > 0 && hasTime(1);
    case 'unknown':
      return IDEMPOTENT.has(tool) && knowsTools && failures <= repeats && hasTime(repeats);
    case 'lost':
      // A probe without an answer leaves the refusal as it came.
      return !probes();
  }
}
