import type { Fault } from '../../src/local/config/faults.ts';
import type { Random } from './random.ts';
import type { PlannedRuntime } from './runtimes.ts';

type Phase = 'before' | 'after';

const HTML = '<html><head><title>Bad gateway</title></head><body>sorry</body></html>';
const REFUSED = { phase: 'before' } as const;

/**
 * The possible faults of an invocation, with their weights. A refused call did not run, so a
 * refusal occurs before the container. Half of the faults with an unknown outcome occur after the
 * container did its work.
 */
const INVOKE_FAULTS: readonly (readonly [number, (random: Random, phase: Phase) => object])[] = [
  [3, (random) => ({ ...REFUSED, kind: 'throttle', times: random.from(1, 3) })],
  [2, () => ({ ...REFUSED, kind: 'throttle', retryAfter: 1 })],
  [
    2,
    (random) => ({
      ...REFUSED,
      kind: 'status',
      status: 429,
      times: random.from(1, 2),
      ...THROTTLED,
    }),
  ],
  [3, () => ({ ...REFUSED, kind: 'platform-error', error: 'retryable-conflict' })],
  [1, () => ({ ...REFUSED, kind: 'platform-error', error: 'conflict' })],
  [1, () => ({ ...REFUSED, kind: 'platform-error', error: 'validation' })],
  [1, () => ({ ...REFUSED, kind: 'platform-error', error: 'not-found', method: 'tools/call' })],
  [1, () => ({ ...REFUSED, kind: 'platform-error', error: 'quota-exceeded' })],
  [1, () => ({ ...REFUSED, kind: 'status', status: 402, ...QUOTA })],
  [1, () => ({ ...REFUSED, kind: 'status', status: 409, errorType: 'ConflictException' })],
  [2, () => ({ ...REFUSED, kind: 'status', status: 409, errorType: 'RetryableConflictException' })],
  [2, () => ({ ...REFUSED, kind: 'status', status: 424, ...STARTING })],
  [3, (_, phase) => ({ kind: 'status', status: 424, phase, ...FAILED })],
  [2, (_, phase) => ({ kind: 'platform-error', error: 'container-failed', phase })],
  [2, (_, phase) => ({ kind: 'platform-error', error: 'internal', phase })],
  [
    4,
    (random, phase) => ({
      kind: 'status',
      status: random.pick([500, 502, 503, 504]),
      phase,
      ...(random.chance(0.6) && { body: HTML, contentType: 'text/html' }),
      ...(random.chance(0.3) && { retryAfter: 1 }),
    }),
  ],
  [2, () => ({ ...REFUSED, kind: 'expired-credentials' })],
  [5, (_, phase) => ({ kind: 'reset', phase })],
  [3, (_, phase) => ({ kind: 'empty', phase })],
  [3, (_, phase) => ({ kind: 'broken-json', phase })],
  [1, (_, phase) => ({ kind: 'silence', phase })],
  [3, (random) => ({ kind: 'cut', ...amount(random), by: random.pick(['end', 'reset']) })],
  [1, (random) => ({ kind: 'stall', ...amount(random) })],
  [3, (random) => ({ kind: 'delay', ms: random.from(20, 400) })],
  [1, () => ({ kind: 'delay', ms: 2_600 })],
  [4, (random) => ({ kind: 'restart-container', ...moment(random) })],
  [4, (random) => ({ kind: 'kill-microvm', ...moment(random) })],
  [3, (_, phase) => ({ kind: 'json-rpc-error', phase, ...INTERNAL })],
  // A server's own errors, with numbers that the platform uses as well.
  [1, () => ({ kind: 'json-rpc-error', phase: 'after', code: -32005, message: 'please retry' })],
  [
    1,
    () => ({ kind: 'json-rpc-error', phase: 'after', code: -32003, message: 'Quota is used up' }),
  ],
];

const THROTTLED = { errorType: 'ThrottlingException', message: 'Rate exceeded', retryAfter: 1 };
const QUOTA = {
  errorType: 'ServiceQuotaExceededException',
  message: 'maxVms limit exceeded for account 123456789012',
};
const STARTING = {
  errorType: 'RuntimeClientError',
  message:
    'Runtime initialization time exceeded. Please make sure that initialization completes in 30s.',
};
const FAILED = {
  errorType: 'RuntimeClientError',
  message:
    'Received error (500) from runtime. Please check your CloudWatch logs for more information.',
};
const INTERNAL = {
  code: -32603,
  message: 'An internal error occurred while processing the request.',
};

const STOP_FAULTS: readonly (readonly [number, (random: Random) => object])[] = [
  [2, () => ({ kind: 'status', status: 403, errorType: 'AccessDeniedException' })],
  [
    3,
    (random) => ({
      kind: 'status',
      status: 409,
      errorType: 'RetryableConflictException',
      times: random.from(1, 3),
    }),
  ],
  [2, (random) => ({ kind: 'status', status: 500, times: random.from(1, 4) })],
  [1, () => ({ kind: 'throttle' })],
  [1, () => ({ kind: 'reset' })],
  [1, () => ({ kind: 'silence' })],
];

const STS_FAULTS: readonly (readonly [number, (random: Random) => object])[] = [
  [1, () => ({ kind: 'status', status: 500, times: 4 })],
  [1, () => ({ kind: 'reset' })],
];

/** Creates one fault of any kind for one of the runtimes. */
export function planFault(random: Random, runtimes: readonly PlannedRuntime[]): Fault {
  const operation = random.weighted([
    [50, 'invoke'],
    [4, 'stop'],
    [1, 'sts'],
  ] as const);
  const runtime = random.pick(runtimes).name;
  if (operation === 'stop') {
    return { operation, runtime, ...random.weighted(STOP_FAULTS)(random) } as Fault;
  }
  if (operation === 'sts') return { operation, ...random.weighted(STS_FAULTS)(random) } as Fault;
  const method = random.weighted([
    [12, 'tools/call'],
    [2, 'initialize'],
    [1, 'tools/list'],
    [1, 'notifications/initialized'],
    [2, undefined],
  ] as const);
  const fault = random.weighted(INVOKE_FAULTS)(random, random.pick(['before', 'after']));
  return { runtime, ...(method && { method }), ...fault } as Fault;
}

function amount(random: Random): object {
  return random.chance(0.5)
    ? { afterEvents: random.from(0, 4) }
    : { afterBytes: random.from(0, 300) };
}

function moment(random: Random): object {
  const when = random.pick(['before', 'during', 'during', 'after'] as const);
  if (when !== 'during') return { when };
  return random.chance(0.3)
    ? { when, afterEvents: random.from(0, 3) }
    : { when, afterMs: random.from(0, 60) };
}
