import type { BareTarget } from './bare.ts';
import { BareRunner } from './bare-runner.ts';
import type { Children } from './children.ts';
import type { Command } from './command.ts';
import { within } from './deadline.ts';
import type { FigureId, Pair } from './figures.ts';
import { type PeakMemory, watchPeakMemory } from './memory.ts';
import type { Plan } from './plan.ts';
import { type StartedProxy, startProxy, timeBareNode } from './start-up.ts';
import { median } from './statistics.ts';
import { runWorkload, type Workload } from './workloads.ts';

const workloadLimitMs = 60_000;
const megabyte = 1024 * 1024;

interface Setting {
  readonly children: Children;
  readonly plan: Plan;
  readonly bareProgram: string;
  readonly target: BareTarget;
  readonly env: NodeJS.ProcessEnv;
}

type Recorder = (figure: FigureId, pair: Pair) => void;

/**
 * One round of one proxy against the baseline: fresh processes of both, which take turns at
 * everything, so that both are equally warm and a slow second of the machine hits both.
 * What was recorded before an error stays recorded.
 */
export async function runRound(
  setting: Setting,
  command: Command,
  bareFirst: boolean,
  record: Recorder,
): Promise<void> {
  const bare = await BareRunner.start(setting.children, setting.bareProgram, setting.target);
  let proxy: StartedProxy | undefined;
  try {
    proxy = await timeStarts(setting, command, record);
    await runSteps(setting.plan, bare, proxy, bareFirst, record);
  } finally {
    await Promise.all([bare.close(), proxy?.close()]);
  }
}

async function timeStarts(
  { children, plan, env }: Setting,
  command: Command,
  record: Recorder,
): Promise<StartedProxy> {
  const baselines: number[] = [];
  const measured: number[] = [];
  for (;;) {
    baselines.push(await timeBareNode(children, env));
    const proxy = await startProxy(children, command, env);
    measured.push(proxy.startMs);
    if (measured.length === plan.starts) {
      record('start', { baseline: median(baselines), measured: median(measured) });
      return proxy;
    }
    await proxy.close();
  }
}

async function runSteps(
  plan: Plan,
  bare: BareRunner,
  proxy: StartedProxy,
  bareFirst: boolean,
  record: Recorder,
): Promise<void> {
  const memory = watchPeakMemory(proxy.client.pid ?? 0);
  try {
    for (const step of plan.steps) {
      if ('memory' in step) {
        const measured = megabytes(memory);
        if (measured !== undefined) {
          record(step.memory, { baseline: megabytes(bare.memory), measured });
        }
        continue;
      }
      const samples = await takeTurns(step.workload, step.turns, bare, proxy, bareFirst);
      const baselines = step.figures(samples.bare);
      for (const [id, measured] of Object.entries(step.figures(samples.proxy))) {
        const figure = id as FigureId;
        record(figure, { baseline: baselines[figure], measured });
      }
    }
  } finally {
    memory.stop();
  }
}

async function takeTurns(
  workload: Workload,
  turns: number,
  bare: BareRunner,
  proxy: StartedProxy,
  bareFirst: boolean,
): Promise<{ readonly bare: readonly number[]; readonly proxy: readonly number[] }> {
  const samples = { bare: [] as number[], proxy: [] as number[] };
  const runners = [
    { into: samples.bare, run: () => bare.run(workload) },
    { into: samples.proxy, run: () => runWorkload(proxy.client, workload) },
  ];
  if (!bareFirst) runners.reverse();
  for (let turn = 0; turn < turns; turn++) {
    for (const { into, run } of runners) {
      into.push(...(await within(workloadLimitMs, `The workload "${workload.kind}"`, run())));
    }
  }
  return samples;
}

function megabytes(memory: PeakMemory): number | undefined {
  const bytes = memory.bytes();
  return bytes === undefined ? undefined : bytes / megabyte;
}
