import { EventEmitter } from 'node:events';
import type { ClientRequest } from 'node:http';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { IdleTimeout, type Timeouts } from '../../src/http/post.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A clock with timeouts of three seconds, for a request that was sent. */
function startClock(more: Partial<Timeouts> = {}): IdleTimeout {
  const request = Object.assign(new EventEmitter(), { destroy: () => undefined });
  const timeouts = { connect: 1_000, read: 3_000, ...more };
  const clock = new IdleTimeout(request as unknown as ClientRequest, timeouts, 'host');
  clock.heard();
  return clock;
}

/** Advances the time, with a signal every 200 ms. */
function pass(clock: IdleTimeout, milliseconds: number): void {
  for (let passed = 0; passed < milliseconds; passed += 200) {
    vi.advanceTimersByTime(200);
    if (!clock.expired) clock.heard();
  }
}

it('ends a call after the read timeout without a byte', () => {
  const clock = startClock();
  vi.advanceTimersByTime(2_900);
  expect(clock.expired).toBeUndefined();
  vi.advanceTimersByTime(200);
  expect(clock.expired?.message).toMatch(/silent for 3 s.*may still be running/);
  expect(clock.expired?.data).toEqual({ outcome: 'unknown' });
});

it('ends a call after four read timeouts without a message, despite other data', () => {
  const clock = startClock();
  pass(clock, 11_000);
  expect(clock.expired).toBeUndefined();
  pass(clock, 1_400);
  expect(clock.expired?.message).toMatch(/only keep-alives for 12 s.*may still be running/);
  expect(clock.expired?.data).toEqual({ outcome: 'unknown' });
});

it('continues as long as messages arrive', () => {
  const clock = startClock();
  for (let times = 0; times < 10; times++) {
    pass(clock, 10_000);
    clock.progressed();
  }
  expect(clock.expired).toBeUndefined();
});

it('does not count the time of pending server requests', () => {
  const clock = startClock();
  pass(clock, 11_000);
  clock.hold(true);
  vi.advanceTimersByTime(60_000);
  clock.hold(true);
  vi.advanceTimersByTime(60_000);
  clock.hold(false);
  clock.hold(false);
  pass(clock, 800);
  expect(clock.expired).toBeUndefined();
  pass(clock, 600);
  expect(clock.expired).toBeDefined();
});

it('never ends a stream because of its comments if it is not expected to carry messages', () => {
  const clock = startClock({ total: Number.POSITIVE_INFINITY });
  pass(clock, 100_000);
  expect(clock.expired).toBeUndefined();
});
