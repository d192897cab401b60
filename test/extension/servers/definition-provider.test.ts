import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { McpDefinitionProvider } from '../../../src/extension/servers/definition-provider.ts';
import {
  type PreparationStep,
  ServerPreparation,
  UserCancelledError,
} from '../../../src/extension/servers/preparation.ts';
import { type RuntimeEntry, readEntry } from '../../../src/extension/settings/runtime-entry.ts';
import { getAwsFiles } from '../../../src/extension/settings/window-settings.ts';
import { EventEmitter, workspace } from '../vscode-stub.ts';

const ARN = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/weather-Ab12Cd34Ef';
const WEATHER = { name: 'weather', arn: ARN, profile: 'work' };
const TOOLS = { name: 'tools', arn: ARN };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  workspace.settings = {};
  vi.useRealTimers();
});

/** A provider with entries that a test can change, and the events that VS Code receives. */
function provider(entries: readonly object[], step: PreparationStep = async () => undefined) {
  const changed = new EventEmitter<void>();
  const store = {
    entries: entries.map(readEntry),
    onDidChange: changed.event,
    find: (name: string): RuntimeEntry | undefined =>
      store.entries.find((entry) => entry.name === name),
  };
  const failures: unknown[] = [];
  const preparation = new ServerPreparation([step], (thrown) => failures.push(thrown));
  const extension = { version: '1.2.3', proxy: '/extension/dist/proxy.js' };
  const made = new McpDefinitionProvider({
    store: store as never,
    preparation,
    extension,
    shared: getAwsFiles,
  });
  let events = 0;
  made.onDidChangeMcpServerDefinitions(() => {
    events += 1;
  });
  const write = (...all: readonly object[]) => {
    store.entries = all.map(readEntry);
    changed.fire();
  };
  const { resolveMcpServerDefinition: resolve } = made;
  return {
    provided: () => made.provideMcpServerDefinitions(),
    /** Without a token, the call is never cancelled. */
    resolve: (label: string, { token } = cancellation()) => {
      const definition = made.provideMcpServerDefinitions().find((one) => one.label === label);
      return resolve.call(made, definition as never, token as never);
    },
    remove: () => {
      store.entries = [];
    },
    events: () => events,
    failures,
    write,
  };
}

function cancellation() {
  const cancelled = new EventEmitter<void>();
  const token = { isCancellationRequested: false, onCancellationRequested: cancelled.event };
  const cancel = () => {
    token.isCancellationRequested = true;
    cancelled.fire();
  };
  return { token, cancel };
}

/** A step that waits until the test releases it. */
function held() {
  const begun: AbortSignal[] = [];
  let release = (_: Record<string, string>) => {};
  const step: PreparationStep = (_, signal) => {
    begun.push(signal);
    return new Promise((resolve) => {
      release = resolve;
    });
  };
  return { begun, step, release: (added: Record<string, string>) => release(added) };
}

describe('the server definitions for VS Code', () => {
  it('contain one server per entry, started with the Node of VS Code', () => {
    const { provided } = provider([WEATHER, TOOLS]);
    expect(provided()).toMatchObject([
      {
        label: 'weather',
        command: process.execPath,
        args: ['/extension/dist/proxy.js'],
        env: { ELECTRON_RUN_AS_NODE: '1', AGENTCORE_AGENT_ARN: ARN, AWS_PROFILE: 'work' },
        version: expect.stringMatching(/^1\.2\.3\+/),
      },
      { label: 'tools' },
    ]);
  });

  it('stay the same objects as long as nothing changes', async () => {
    const { provided, write, events } = provider([WEATHER]);
    const before = provided();
    // Writes the setting again, as a change of a neighbouring setting does.
    write({ profile: 'work', arn: ARN, name: 'weather' });
    await vi.runAllTimersAsync();
    expect(events()).toBe(0);
    expect(provided()).toBe(before);
  });

  it('change with one event for several changes, and the other servers keep their version', async () => {
    const { provided, write, events } = provider([WEATHER, TOOLS]);
    const [weather, tools] = provided();
    write({ ...WEATHER, profile: 'o' }, TOOLS);
    write({ ...WEATHER, profile: 'other' }, TOOLS);
    await vi.runAllTimersAsync();
    expect(events()).toBe(1);
    expect(provided()[0]?.version).not.toBe(weather?.version);
    expect(provided()[1]?.version).toBe(tools?.version);
  });

  it('change if the settings name other AWS files', async () => {
    const { provided, events } = provider([WEATHER]);
    const [before] = provided();
    workspace.configure({ 'agentcore.aws.configFile': '~/work/config' });
    await vi.runAllTimersAsync();
    expect(events()).toBe(1);
    expect(provided()[0]?.env).toMatchObject({ AWS_CONFIG_FILE: join(homedir(), 'work/config') });
    expect(provided()[0]?.version).not.toBe(before?.version);
    workspace.configure({ 'agentcore.aws.configFile': 7 });
    await vi.runAllTimersAsync();
    expect(provided()).toEqual([before]);
  });

  it('do not change if an edit is reverted', async () => {
    const { write, events } = provider([WEATHER]);
    write({ ...WEATHER, profile: 'other' });
    write(WEATHER);
    await vi.runAllTimersAsync();
    expect(events()).toBe(0);
  });
});

describe('a start', () => {
  it('passes the prepared values to that start alone, however often VS Code asks', async () => {
    const step = vi.fn(async () => ({ SECRET: 'kept nowhere' }));
    const { provided, resolve } = provider([WEATHER], step);
    const first = await resolve('weather');
    const second = await resolve('weather');
    expect(first).toMatchObject({ label: 'weather', env: { SECRET: 'kept nowhere' } });
    expect(second).toEqual(first);
    expect(first?.version).toBe(provided()[0]?.version);
    expect(JSON.stringify(provided())).not.toContain('kept nowhere');
  });

  it('is prepared once for two concurrent calls', async () => {
    const { begun, step, release } = held();
    const { resolve } = provider([WEATHER], step);
    const both = Promise.all([resolve('weather'), resolve('weather')]);
    await vi.advanceTimersByTimeAsync(0);
    expect(begun).toHaveLength(1);
    release({ A: '1' });
    const [one, other] = await both;
    expect(one?.env).toMatchObject({ A: '1' });
    expect(other).toEqual(one);
  });

  it('continues for a waiting caller if another one cancels', async () => {
    const { begun, step, release } = held();
    const { resolve } = provider([WEATHER], step);
    const leaving = cancellation();
    const left = resolve('weather', leaving);
    const staying = resolve('weather');
    await vi.advanceTimersByTimeAsync(0);
    leaving.cancel();
    expect(begun[0]?.aborted).toBe(false);
    release({ A: '1' });
    expect((await staying)?.env).toMatchObject({ A: '1' });
    await left;
  });

  it('ends silently if all callers cancel, and can be repeated', async () => {
    const { begun, step, release } = held();
    const { resolve, failures } = provider([WEATHER], step);
    const leaving = cancellation();
    const left = resolve('weather', leaving);
    await vi.advanceTimersByTimeAsync(0);
    leaving.cancel();
    expect(await left).toBeUndefined();
    expect(begun[0]?.aborted).toBe(true);
    const again = resolve('weather');
    await vi.advanceTimersByTimeAsync(0);
    release({ A: '1' });
    expect((await again)?.env).toMatchObject({ A: '1' });
    expect(failures).toEqual([]);
  });

  it('ends silently if the user cancels', async () => {
    const { resolve, failures } = provider([WEATHER], () =>
      Promise.reject(new UserCancelledError()),
    );
    expect(await resolve('weather')).toBeUndefined();
    expect(failures).toEqual([]);
  });

  it('ends with an error after five minutes without an answer', async () => {
    const { begun, step } = held();
    const { resolve } = provider([WEATHER], step);
    const late = expect(resolve('weather')).rejects.toThrow(
      'Runtime "weather" was not ready to start within 5 minutes. Start it again.',
    );
    await vi.advanceTimersByTimeAsync(5 * 60_000);
    await late;
    expect(begun[0]?.aborted).toBe(true);
  });

  it('fails with one error message, and passes on the original error', async () => {
    const thrown = new Error('Profile "work" is not there: add it');
    const { resolve, failures } = provider([WEATHER], () => Promise.reject(thrown));
    await expect(resolve('weather')).rejects.toThrow('Profile "work" is not there: add it');
    expect(failures).toEqual([thrown]);
  });

  it('reports that its runtime was removed meanwhile', async () => {
    const { resolve, remove } = provider([WEATHER]);
    remove();
    await expect(resolve('weather')).rejects.toThrow('"weather" is no longer set up');
  });
});
