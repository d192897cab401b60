import type { Fault } from '../../src/local/config/faults.ts';
import type { SessionMode } from '../../src/sessions/runtime-session.ts';
import { planFault } from './planned-faults.ts';
import { Random } from './random.ts';
import { type PlannedRuntime, planRuntimes } from './runtimes.ts';
import type { ToolName } from './tools.ts';

/** One call of a tool. Times are in milliseconds. */
export interface PlannedCall {
  /** Unique. It identifies the call in the server's records. */
  readonly key: string;
  readonly tool: ToolName;
  readonly pause: number;
  readonly stream: boolean;
  readonly wrong: boolean;
  /** The time after which the client cancels the call. */
  readonly cancelAfter: number | undefined;
  /**
   * The client's answer to a server request. With `silence`, only the server's own timeout ends the
   * wait.
   */
  readonly reply: 'accept' | 'decline' | 'error' | 'silence';
}

/** The end of a proxy. `open`: without waiting for answers. */
interface PlannedEnd {
  readonly how: 'eof' | 'sigterm' | 'sigkill';
  readonly open: boolean;
  /** Milliseconds after the last call, or after the start if there are no calls. */
  readonly after: number;
}

/** The plan for one proxy process. */
export interface PlannedLife {
  /** Identifies the handshakes in traces. */
  readonly name: string;
  readonly runtime: string;
  readonly mode: SessionMode;
  readonly era: 'handshake' | 'stateless';
  /** The source of the proxy's credentials. Those of a process change each time. */
  readonly credentials: 'environment' | 'process';
  readonly env: Readonly<Record<string, string>>;
  readonly lists: boolean;
  /** Maximum number of open calls. */
  readonly window: number;
  /** The call after which the client initializes again, if any. */
  readonly initializesAgainAfter: number | undefined;
  readonly calls: readonly PlannedCall[];
  readonly end: PlannedEnd;
}

/** An event apart from the calls, after this many calls have begun. */
export interface PlannedMishap {
  readonly atCall: number;
  readonly what:
    | { readonly kind: 'fault'; readonly fault: Fault }
    /** Affects one of the running sessions. `choice`, from 0 to 1, selects it. */
    | { readonly kind: 'restart' | 'kill'; readonly choice: number }
    | { readonly kind: 'refuse-connections'; readonly milliseconds: number }
    | { readonly kind: 'reset-connections'; readonly share: number };
}

export interface Plan {
  readonly seed: number;
  readonly runtimes: readonly PlannedRuntime[];
  /** The successive lives of each client. */
  readonly clients: readonly (readonly PlannedLife[])[];
  readonly mishaps: readonly PlannedMishap[];
  readonly calls: number;
}

export interface PlanSize {
  readonly clients: number;
  readonly livesEach: number;
}

/** Creates the whole plan of a campaign from its seed alone. */
export function planCampaign(seed: number, { clients, livesEach }: PlanSize): Plan {
  const random = new Random(seed);
  const runtimes = planRuntimes(random);
  const lanes = Array.from({ length: clients }, (_, client) =>
    Array.from({ length: livesEach }, (_, life) =>
      planLife(random, `${seed}-${client}-${life}`, random.pick(runtimes)),
    ),
  );
  const calls = lanes.flat().reduce((sum, life) => sum + life.calls.length, 0);
  const mishaps: PlannedMishap[] = [];
  for (let atCall = random.from(3, 8); atCall < calls; atCall += random.from(1, 5)) {
    mishaps.push({ atCall, what: planMishap(random, runtimes) });
  }
  return { seed, runtimes, clients: lanes, mishaps, calls };
}

function planLife(random: Random, name: string, runtime: PlannedRuntime): PlannedLife {
  const era = runtime.keeping === 'stateful' || random.chance(0.6) ? 'handshake' : 'stateless';
  const mode = random.weighted([
    [6, 'session'],
    [2, 'identity'],
    [2, 'request'],
  ] as const);
  const window = random.pick([1, 2, 4, 8, 12]);
  const count = random.from(...callsOf(mode, window));
  const calls = Array.from({ length: count }, (_, index) =>
    planCall(random, `${name}-${index}`, runtime, era),
  );
  const end = planEnd(random);
  // A killed proxy is killed after a random part of its calls.
  const lived = end.how === 'sigkill' ? calls.slice(0, random.from(0, count)) : calls;
  return {
    name,
    runtime: runtime.name,
    mode,
    era,
    credentials: random.chance(0.2) ? 'process' : 'environment',
    env: {
      RUNTIME_SESSION_MODE: mode,
      ...(random.chance(0.2) && { AGENTCORE_RETRIES: random.pick(['0', '1', '8']) }),
      ...(random.chance(0.1) && { AGENTCORE_STOP_ON_EXIT: 'false' }),
      ...(random.chance(0.2) && { AGENTCORE_KEEP_ALIVE: '0.05' }),
    },
    lists: random.chance(0.8),
    window,
    initializesAgainAfter: random.chance(0.1) ? random.from(1, 20) : undefined,
    calls: lived,
    end,
  };
}

/**
 * The minimum and maximum number of calls of a life. No life should take much longer than the
 * others.
 */
function callsOf(mode: SessionMode, window: number): readonly [number, number] {
  // Each request of this mode starts a process.
  if (mode === 'request') return [6, 12];
  return window > 2 ? [80, 130] : [20, 40];
}

function planCall(
  random: Random,
  key: string,
  { keeping }: PlannedRuntime,
  era: PlannedLife['era'],
): PlannedCall {
  const tool = random.weighted([
    [8, 'add'],
    [3, 'look'],
    [3, 'set'],
    [3, 'slow'],
    ...(keeping === 'stateful' && era === 'handshake' ? ([[3, 'ask']] as const) : []),
  ] as const);
  const reply = random.weighted([
    [6, 'accept'],
    [2, 'decline'],
    [1, 'error'],
    [1, 'silence'],
  ] as const);
  return {
    key,
    tool,
    pause: random.chance(0.3) ? random.from(1, 40) : 0,
    stream: random.chance(0.3),
    wrong: random.chance(0.04),
    cancelAfter: random.chance(reply === 'silence' ? 0.4 : 0.06) ? random.from(0, 80) : undefined,
    reply,
  };
}

function planEnd(random: Random): PlannedEnd {
  const how = random.weighted([
    [4, 'eof'],
    [2, 'sigterm'],
    [2, 'sigkill'],
  ] as const);
  const open = how === 'sigkill' || random.chance(0.3);
  return { how, open, after: open ? random.from(0, 300) : 0 };
}

function planMishap(random: Random, runtimes: readonly PlannedRuntime[]): PlannedMishap['what'] {
  const kind = random.weighted([
    [60, 'fault'],
    [3, 'restart'],
    [3, 'kill'],
    [1, 'refuse-connections'],
    [2, 'reset-connections'],
  ] as const);
  switch (kind) {
    case 'fault':
      return { kind, fault: planFault(random, runtimes) };
    case 'refuse-connections':
      return { kind, milliseconds: random.from(50, 600) };
    case 'reset-connections':
      return { kind, share: random.next() };
    default:
      return { kind, choice: random.next() };
  }
}
