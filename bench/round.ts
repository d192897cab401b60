import type { Children } from './children.ts';
import type { Command } from './command.ts';
import { within } from './deadline.ts';
import type { FigureId, Pair } from './figures.ts';
import { expectGoverned } from './governed.ts';
import { watchPeakMemory } from './memory.ts';
import type { Comparison, Contestant, Measurement, Plan } from './plan.ts';
import { type StartedProxy, startProxy, timeBareNode } from './start-up.ts';
import { median } from './statistics.ts';
import { runWorkload } from './workloads.ts';

const workloadLimitMs = 120_000;
const megabyte = 1024 * 1024;

/** How to start a process, with its environment. */
interface Start {
  readonly command: Command;
  readonly env: NodeJS.ProcessEnv;
}

interface Setting {
  readonly children: Children;
  readonly plan: Plan;
  /** `governed` is missing for a proxy without policies. */
  readonly starts: Readonly<Partial<Record<Contestant, Start>>>;
}

type Recorder = (figure: FigureId, pair: Pair) => void;

/**
 * One round of one proxy: its starts, and each comparison with new processes, which alternate. So
 * both are equally warm, and a slow second of the machine affects both. The figures that were
 * recorded before an error are kept.
 *
 * @param round Counts from 0. Even rounds start with the baseline.
 */
export async function runRound(setting: Setting, round: number, record: Recorder): Promise<void> {
  const { children, plan, starts } = setting;
  const { proxy, governed } = starts;
  if (proxy) await timeStarts(children, proxy, plan.starts, 'start', record);
  if (governed) await timeStarts(children, governed, plan.starts, 'governedStart', record);
  for (const { baseline, measured, steps } of plan.comparisons) {
    const [first, second] = [starts[baseline], starts[measured]];
    if (first && second) {
      const open = () => openPair(children, first, second, measured);
      await compare(open, steps, round, record);
    }
  }
}

async function timeStarts(
  children: Children,
  { command, env }: Start,
  count: number,
  figure: FigureId,
  record: Recorder,
): Promise<void> {
  const baselines: number[] = [];
  const measured: number[] = [];
  while (measured.length < count) {
    baselines.push(await timeBareNode(children, env));
    const proxy = await startProxy(children, command, env);
    measured.push(proxy.startMs);
    await proxy.close();
  }
  record(figure, { baseline: median(baselines), measured: median(measured) });
}

/** The baseline and the measured proxy. */
type ProxyPair = readonly [StartedProxy, StartedProxy];

async function openPair(
  children: Children,
  first: Start,
  second: Start,
  measured: Contestant,
): Promise<ProxyPair> {
  const baseline = await startProxy(children, first.command, first.env);
  try {
    const proxy = await startProxy(children, second.command, second.env);
    if (measured === 'governed') await expectGoverned(proxy.client);
    return [baseline, proxy];
  } catch (error) {
    await baseline.close();
    throw error;
  }
}

async function compare(
  open: () => Promise<ProxyPair>,
  steps: Comparison['steps'],
  round: number,
  record: Recorder,
): Promise<void> {
  const pair = await open();
  const memories = pair.map(({ client }) => watchPeakMemory(client.pid ?? 0));
  try {
    for (const step of steps) {
      if ('memory' in step) {
        const [baseline, measured] = memories.map((memory) => memory.bytes());
        if (measured === undefined) continue;
        record(step.memory, {
          baseline: baseline === undefined ? undefined : baseline / megabyte,
          measured: measured / megabyte,
        });
      } else if (!step.once || round === 0) {
        await measure(step, pair, round % 2 === 0, record);
      }
    }
  } finally {
    for (const memory of memories) memory.stop();
    await Promise.all(pair.map((proxy) => proxy.close()));
  }
}

/** Has both take turns, and records the figures. */
async function measure(
  { workload, turns, figures }: Measurement,
  [baseline, measured]: ProxyPair,
  baselineFirst: boolean,
  record: Recorder,
): Promise<void> {
  const pair = [
    { caller: baseline.client, samples: [] as number[] },
    { caller: measured.client, samples: [] as number[] },
  ] as const;
  const inTurn = baselineFirst ? pair : pair.toReversed();
  for (let turn = 0; turn < turns; turn++) {
    for (const { caller, samples } of inTurn) {
      const run = runWorkload(caller, workload);
      samples.push(...(await within(workloadLimitMs, `The workload "${workload.kind}"`, run)));
    }
  }
  const baselines = figures(pair[0].samples);
  for (const [id, value] of Object.entries(figures(pair[1].samples))) {
    const figure = id as FigureId;
    record(figure, { baseline: baselines[figure], measured: value });
  }
}
