import { describe, expect, it } from 'vitest';
import { RateLimiter } from '../../../src/aws/discovery/rate-limit.ts';
import { SleepersTime, StillTime } from './still-time.ts';

/** The longest delays. */
const always = () => 1;
const NEVER = new AbortController().signal;
const SCOPE = '123456789012 us-east-1';

function throttled(): Error {
  return Object.assign(new Error('Rate exceeded'), { name: 'ThrottlingException' });
}

function failed(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** Fails with these errors, then succeeds. Counts its calls. */
function failing(...failures: readonly Error[]) {
  const left = [...failures];
  const send = async () => {
    send.calls += 1;
    const failure = left.shift();
    if (failure) throw failure;
    return 'answer';
  };
  send.calls = 0;
  return send;
}

describe('the rate limit of list calls', () => {
  it('is five calls a second after the first five', async () => {
    const time = new StillTime();
    const pace = new RateLimiter(time, always);
    const calls = Array.from({ length: 12 }, () =>
      pace.call(SCOPE, 'ListAgentRuntimes', NEVER, async () => undefined),
    );
    await Promise.all(calls);
    expect(time.slept).toEqual([200, 400, 600, 800, 1000, 1200, 1400]);
  });

  it('is separate for each list, account and region', async () => {
    const time = new StillTime();
    const pace = new RateLimiter(time, always);
    for (let call = 0; call < 5; call++) {
      for (const scope of [SCOPE, '123456789012 eu-west-1', '210987654321 us-east-1']) {
        await pace.call(scope, 'ListAgentRuntimes', NEVER, async () => undefined);
        await pace.call(scope, 'ListGateways', NEVER, async () => undefined);
      }
    }
    expect(time.slept).toEqual([]);
  });

  it('recovers during idle time', async () => {
    const time = new StillTime();
    const pace = new RateLimiter(time, always);
    const call = () => pace.call(SCOPE, 'ListGateways', NEVER, async () => undefined);
    for (let count = 0; count < 5; count++) await call();
    time.time += 1000;
    for (let count = 0; count < 5; count++) await call();
    expect(time.slept).toEqual([]);
    await call();
    expect(time.slept).toEqual([200]);
  });

  it('is fifty calls a second for calls that read one resource', async () => {
    const time = new StillTime();
    const pace = new RateLimiter(time, always);
    for (let count = 0; count < 51; count++) {
      await pace.call(SCOPE, 'GetAgentRuntime', NEVER, async () => undefined);
    }
    expect(time.slept).toEqual([20]);
  });
});

describe('a throttled call', () => {
  it('is retried after growing delays, which also delay the other calls', async () => {
    const time = new SleepersTime();
    const pace = new RateLimiter(time, always);
    const send = failing(throttled(), throttled(), throttled());
    expect(await pace.call(SCOPE, 'ListGateways', NEVER, send)).toBe('answer');
    // The backoff, and the delay of the rate limit after it.
    expect(time.slept).toEqual([450, 700, 1200]);
    const other = new StillTime();
    const shared = new RateLimiter(other, always);
    const first = shared.call(SCOPE, 'ListGateways', NEVER, failing(throttled()));
    await Promise.resolve().then(() => undefined);
    await Promise.all([
      first,
      shared.call(SCOPE, 'ListGateways', NEVER, failing()),
      shared.call(SCOPE, 'GetGateway', NEVER, failing()),
    ]);
    expect(other.slept).toHaveLength(2);
  });

  it('waits no longer if several calls are throttled at once', async () => {
    const time = new StillTime();
    const pace = new RateLimiter(time, always);
    const calls = Array.from({ length: 5 }, () =>
      pace.call(SCOPE, 'ListGateways', NEVER, failing(throttled())),
    );
    await Promise.all(calls);
    expect(Math.max(...time.slept)).toBeLessThanOrEqual(250 + 5 * 200);
  });

  it('fails after eight attempts', async () => {
    const send = failing(...Array.from({ length: 20 }, throttled));
    const pace = new RateLimiter(new SleepersTime(), always);
    await expect(pace.call(SCOPE, 'ListGateways', NEVER, send)).rejects.toThrow('Rate exceeded');
    expect(send.calls).toBe(8);
  });
});

describe('a failed call', () => {
  it('is retried if a retry may help, three attempts in all', async () => {
    const reset = failing(failed('ECONNRESET'), failed('ECONNRESET'));
    const pace = new RateLimiter(new SleepersTime(), always);
    expect(await pace.call(SCOPE, 'GetGateway', NEVER, reset)).toBe('answer');
    const down = failing(...Array.from({ length: 5 }, () => failed('ETIMEDOUT')));
    await expect(pace.call(SCOPE, 'GetGateway', NEVER, down)).rejects.toThrow('ETIMEDOUT');
    expect(down.calls).toBe(3);
  });

  it.each(['ENOTFOUND', 'ECONNREFUSED', 'AccessDenied'])(
    'is not retried after %s',
    async (code) => {
      const send = failing(failed(code));
      const call = new RateLimiter(new StillTime(), always).call(SCOPE, 'GetGateway', NEVER, send);
      await expect(call).rejects.toThrow(code);
      expect(send.calls).toBe(1);
    },
  );

  it('stops when its signal aborts, during a delay and during a request', async () => {
    const ending = new AbortController();
    const pace = new RateLimiter(new StillTime(), always);
    const send = async () => {
      ending.abort(new Error('enough'));
      throw throttled();
    };
    await expect(pace.call(SCOPE, 'GetGateway', ending.signal, send)).rejects.toThrow('enough');
  });
});
