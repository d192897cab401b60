import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { LifecycleConfiguration } from '../../src/aws/sdk-client.ts';
import {
  DEFAULT_LIFECYCLE,
  LifecycleCache,
  type LifecycleSubject,
} from '../../src/sessions/lifecycle.ts';
import { StateFolder } from '../fixtures/written-journal.ts';

const HOUR = 3_600_000;
const AWS: LifecycleSubject = {
  runtime: 'arn:aws:bedrock-agentcore:us-west-2:123456789012:runtime/weather-abcdefghij',
  endpoint: 'https://bedrock-agentcore.us-west-2.amazonaws.com/',
};
const OTHER = { ...AWS, runtime: AWS.runtime.replace('weather', 'other') };
const LOCAL = { ...AWS, endpoint: 'http://127.0.0.1:8787/' };
const TEN_MINUTES = { idleRuntimeSessionTimeout: 600, maxLifetime: 7200 };
const denied = () =>
  Object.assign(new Error('not authorized to perform'), { name: 'AccessDeniedException' });

/** The server for GetAgentRuntime, with a clock of the test. */
class ControlPlane {
  readonly asked: string[] = [];
  answer: () => LifecycleConfiguration | Promise<LifecycleConfiguration> = () => TEN_MINUTES;
  now = Date.parse('2026-11-21T12:00:00Z');
  readonly file = join(new StateFolder().path, 'lifecycles.json');

  /** Reads the lifecycle like a program that has just started. */
  async lifecycleOf(subject: LifecycleSubject, timeoutMs?: number) {
    const lifecycles = new LifecycleCache({
      file: this.file,
      read: async ({ runtime }) => {
        this.asked.push(runtime);
        return this.answer();
      },
      now: () => this.now,
      ...(timeoutMs !== undefined && { timeoutMs }),
    });
    return (await lifecycles.resolve([subject]))(subject);
  }
}

let plane: ControlPlane;
beforeEach(() => {
  plane = new ControlPlane();
});

describe('the lifecycle of a runtime', () => {
  it('is the one from GetAgentRuntime, in milliseconds', async () => {
    expect(await plane.lifecycleOf(AWS)).toEqual({
      idleTimeout: 600_000,
      maxLifetime: 7_200_000,
      source: 'runtime',
    });
  });

  it('is read once a day for each runtime', async () => {
    await plane.lifecycleOf(AWS);
    plane.now += 24 * HOUR - 1;
    expect(await plane.lifecycleOf(AWS)).toMatchObject({ idleTimeout: 600_000 });
    expect(plane.asked).toHaveLength(1);
    await plane.lifecycleOf(OTHER);
    plane.now += 1;
    await plane.lifecycleOf(AWS);
    expect(plane.asked).toEqual([AWS.runtime, OTHER.runtime, AWS.runtime]);
  });

  it('is read each time for a local runtime, because its settings may have changed', async () => {
    await plane.lifecycleOf(LOCAL);
    await plane.lifecycleOf(LOCAL);
    expect(plane.asked).toHaveLength(2);
  });

  it('is assumed if access to the runtime is denied, which is tried again once an hour', async () => {
    plane.answer = () => {
      throw denied();
    };
    expect(await plane.lifecycleOf(AWS)).toEqual(DEFAULT_LIFECYCLE);
    expect(DEFAULT_LIFECYCLE).toMatchObject({ idleTimeout: 900_000, maxLifetime: 28_800_000 });
    plane.now += HOUR - 1;
    await plane.lifecycleOf(AWS);
    expect(plane.asked).toHaveLength(1);
    plane.now += 1;
    await plane.lifecycleOf(AWS);
    expect(plane.asked).toHaveLength(2);
  });

  it('is the previous one if it cannot be read any more', async () => {
    await plane.lifecycleOf(AWS);
    plane.now += 25 * HOUR;
    plane.answer = () => {
      throw new Error('no network');
    };
    expect(await plane.lifecycleOf(AWS)).toMatchObject({ source: 'runtime', idleTimeout: 600_000 });
    plane.answer = () => {
      throw denied();
    };
    expect(await plane.lifecycleOf(AWS)).toMatchObject({ source: 'runtime', idleTimeout: 600_000 });
  });

  it('is read again at once after a failure other than a denial', async () => {
    plane.answer = () => {
      throw new Error('no network');
    };
    expect(await plane.lifecycleOf(AWS)).toEqual(DEFAULT_LIFECYCLE);
    plane.answer = () => TEN_MINUTES;
    expect(await plane.lifecycleOf(AWS)).toMatchObject({ source: 'runtime' });
  });

  it('is awaited for a bounded time', async () => {
    plane.answer = () => new Promise<never>(() => undefined);
    expect(await plane.lifecycleOf(AWS, 1)).toEqual(DEFAULT_LIFECYCLE);
  });

  it('is stored in a file for this user alone, without a temporary file next to it', async () => {
    await plane.lifecycleOf(AWS);
    const folder = join(plane.file, '..');
    expect(readdirSync(folder).filter((name) => name.startsWith('lifecycles'))).toEqual([
      'lifecycles.json',
    ]);
    if (process.platform !== 'win32') expect(statSync(plane.file).mode & 0o777).toBe(0o600);
    expect(readFileSync(plane.file, 'utf8')).not.toContain('secret');
  });

  it.each(['', 'null', '[1]', '{"a":1}', '{"x y":{"lifecycle":{},"readAt":1}}'])(
    'is read again if the file contains %j',
    async (content) => {
      writeFileSync(plane.file, content);
      expect(await plane.lifecycleOf(AWS)).toMatchObject({ source: 'runtime' });
    },
  );

  it('works without the file if it cannot be written', async () => {
    const folder = new StateFolder().path;
    writeFileSync(join(folder, 'taken'), '');
    const lifecycles = new LifecycleCache({
      file: join(folder, 'taken', 'lifecycles.json'),
      read: async () => TEN_MINUTES,
      now: Date.now,
    });
    expect((await lifecycles.resolve([AWS]))(AWS)).toMatchObject({ source: 'runtime' });
  });
});
