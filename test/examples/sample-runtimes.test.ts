import { describe, expect, it } from 'vitest';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import { MAX_WAIT_MS } from '../fixtures/bounds.ts';
import { within } from '../fixtures/running.ts';
import { ADA, connect, type Sample, type SampleClient, startSamples } from './sample-client.ts';

const ALL: Sample[] = ['stateless', 'stateful', 'stateful_bridge', 'stateless_2026'];
const ASKING: Sample[] = ['stateful', 'stateful_bridge', 'stateless_2026'];

const PLAIN = ['whoami', 'get_weather', 'research', 'research_state'];
const TOOLS: Record<Sample, string[]> = {
  stateless: [...PLAIN, 'begin_story', 'finish_story', 'begin_profile', 'finish_profile'],
  stateful: [...PLAIN, 'remember', 'count_down', 'tell_story', 'create_profile'],
  stateful_bridge: [...PLAIN, 'remember', 'count_down', 'tell_story', 'create_profile'],
  stateless_2026: [...PLAIN, 'tell_story', 'create_profile'],
};

const STORY = 'A story about lighthouses\n\nOnce upon a time.';
const PROFILE = 'Ada, astronomer, is 36 years old.';

const stateOf = (local: LocalRuntime, sample: Sample) =>
  local.sessions(sample).map(({ state }) => state);

/** The received progress values, in order. */
const steps = ({ heard }: SampleClient): number[] =>
  heard
    .filter(({ method }) => method === 'notifications/progress')
    .map(({ params }) => params.progress);

/** Starts a long job. */
function research(client: SampleClient, options: { sources: number; interval: number }) {
  const abort = new AbortController();
  let started: () => void = () => undefined;
  const underWay = new Promise<void>((resolve) => {
    started = resolve;
  });
  const answer = client.call(
    'research',
    { topic: 'tides', ...options },
    {
      signal: abort.signal,
      onprogress: started,
    },
  );
  // The caller of the answer sees its failure. Until then it must not be an unhandled rejection.
  answer.catch(() => undefined);
  return { abort, answer, underWay: () => within(MAX_WAIT_MS, 'the first progress', underWay) };
}

describe.each(ALL)('the sample %s', (sample) => {
  it('offers the tools that its page lists', async () => {
    const local = await startSamples();
    const client = await connect(local, sample);
    expect((await client.tools()).sort()).toEqual([...TOOLS[sample]].sort());
  });

  it('reports the weather and its process: one process for each client, stopped when the client leaves', async () => {
    const local = await startSamples();
    const client = await connect(local, sample);
    expect(await client.call('get_weather', { city: 'Lisbon' })).toBe('Lisbon: windy, 15 °C');
    const first = await client.call('whoami');
    expect(first).toMatch(/^Session (?!unknown)\S+ in process \d+$/);
    expect(await client.call('whoami')).toBe(first);
    await client.close();
    await local.until(
      () => stateOf(local, sample).every((state) => state === 'Stopped'),
      'the end of all sessions',
    );
  });

  it('gives two clients two microVMs', async () => {
    const local = await startSamples();
    const clients = await Promise.all([connect(local, sample), connect(local, sample)]);
    const [one, other] = await Promise.all(clients.map((client) => client.call('whoami')));
    expect(one).not.toBe(other);
  });

  it('reports progress and logs during a call', async () => {
    const local = await startSamples();
    const client = await connect(local, sample);
    const job = research(client, { sources: 3, interval: 1 });
    expect(await job.answer).toBe('3 sources agree on tides');
    expect(steps(client)).toEqual([1, 2, 3]);
    const logged = client.heard.filter(({ method }) => method === 'notifications/message');
    expect(logged.map(({ params }) => params.data)).toEqual(['Looking for 3 sources on tides']);
    expect(await client.call('research_state')).toBe('tides: done');
  });

  it('answers other calls during a long job, and ends the job when it is cancelled', async () => {
    const local = await startSamples();
    const client = await connect(local, sample);
    const job = research(client, { sources: 1000, interval: 100 });
    await job.underWay();
    expect(await client.call('get_weather', { city: 'Lisbon' })).toContain('Lisbon');
    expect(await client.call('research_state')).toMatch(/^tides: reading source \d+ of 1000$/);
    job.abort.abort();
    await expect(job.answer).rejects.toThrow();
    await expect
      .poll(() => client.call('research_state'))
      .toMatch(/^tides: cancelled after \d+ of 1000 sources$/);
  });
});

describe.each(ASKING)('the sample %s', (sample) => {
  it('tells a story that the client’s model writes', async () => {
    const local = await startSamples();
    const client = await connect(local, sample);
    expect(await client.call('tell_story', { topic: 'lighthouses' })).toBe(STORY);
    expect(client.asked).toEqual(['Write a story of three sentences about lighthouses.']);
  });

  it('describes the user’s character, and accepts a declined form', async () => {
    const local = await startSamples();
    const client = await connect(local, sample, ADA);
    expect(await client.call('create_profile')).toBe(PROFILE);
    expect(client.asked).toEqual(['Who is your character?']);
    const silent = await connect(local, sample, 'declines');
    expect(await silent.call('create_profile')).toMatch(/^No profile/);
    expect(silent.asked).toEqual(['Who is your character?']);
  });
});

describe('the sample stateless', () => {
  it('needs two steps for a story and for a profile, and sends no requests to the client', async () => {
    const local = await startSamples();
    const client = await connect(local, 'stateless');
    const topic = 'lighthouses';
    expect(await client.call('begin_story', { topic })).toMatch(/about lighthouses.*finish_story/);
    expect(await client.call('finish_story', { topic, story: 'Once upon a time.' })).toBe(STORY);
    expect(await client.call('begin_profile')).toMatch(/finish_profile with name, occupation, age/);
    expect(await client.call('finish_profile', ADA)).toBe(PROFILE);
    expect(client.asked).toEqual([]);
  });
});

describe.each<Sample>(['stateful', 'stateful_bridge'])('the sample %s', (sample) => {
  it('keeps the memory of one client apart from that of another', async () => {
    const local = await startSamples();
    const [alice, bob] = await Promise.all([connect(local, sample), connect(local, sample)]);
    await alice.call('remember', { note: 'milk' });
    await bob.call('remember', { note: 'plants' });
    expect(await alice.call('remember', { note: 'bread' })).toBe(
      'Notes of this session: milk, bread',
    );
    expect(await bob.call('remember', { note: 'cat' })).toBe('Notes of this session: plants, cat');
  });

  it('counts down one step at a time', async () => {
    const local = await startSamples();
    const client = await connect(local, sample);
    const options = { onprogress: () => undefined };
    expect(await client.call('count_down', { from: 3, interval: 1 }, options)).toBe('Lift-off');
    expect(steps(client)).toEqual([1, 2, 3]);
  });
});

describe('a client that loses its microVM', () => {
  async function loseMicroVm(sample: Sample) {
    const local = await startSamples();
    const client = await connect(local, sample);
    await client.call('research', { topic: 'tides', sources: 1, interval: 0 });
    expect(await client.call('research_state')).toBe('tides: done');
    const before = await client.call('whoami');
    const live = local.sessions(sample).filter(({ state }) => state !== 'Stopped');
    for (const { runtimeSessionId } of live) await local.killMicroVm(runtimeSessionId);
    return { local, client, before };
  }

  it.each<Sample>(['stateless', 'stateful', 'stateful_bridge', 'stateless_2026'])(
    'continues with a new, empty one on %s',
    async (sample) => {
      const { client, before } = await loseMicroVm(sample);
      expect(await client.call('research_state')).toBe('Nothing was researched yet');
      expect(await client.call('whoami')).not.toBe(before);
    },
  );
});

describe('RUNTIME_SESSION_MODE=identity', () => {
  async function twoInTurn(sample: Sample): Promise<string[]> {
    const local = await startSamples();
    const answers: string[] = [];
    for (let turn = 0; turn < 2; turn++) {
      const client = await connect(local, sample, ADA, { RUNTIME_SESSION_MODE: 'identity' });
      answers.push(await client.call('whoami'));
      await client.close();
    }
    return answers;
  }

  it.each<Sample>(['stateless', 'stateful_bridge', 'stateless_2026'])(
    'connects successive clients to the same microVM on %s',
    async (sample) => {
      const [first, second] = await twoInTurn(sample);
      expect(second).toBe(first);
    },
  );

  it('has no effect on stateful, because the server chooses its sessions', async () => {
    const [first, second] = await twoInTurn('stateful');
    expect(second).not.toBe(first);
  });
});
