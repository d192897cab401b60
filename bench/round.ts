import type { BareTarget } from './bare.ts';
import { BareRunner } from './bare-runner.ts';
import type { Children } from './children.ts';
import type { Command } from './command.ts';
import { within } from './deadline.ts';
import type { FigureId, Pair } from './figures.ts';
import { expectGoverned } from './governed.ts';
import { type PeakMemory, watchPeakMemory } from './memory.ts';
import type { Measurement, Plan } from './plan.ts';
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
  /** The policy of those that keep one; none where the proxy is not known to. */
  readonly policy: string | undefined;
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
    await runSteps(setting, command, bare, proxy, bareFirst, record);
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
  setting: Setting,
  command: Command,
  bare: BareRunner,
  proxy: StartedProxy,
  bareFirst: boolean,
  record: Recorder,
): Promise<void> {
  const memory = watchPeakMemory(proxy.client.pid ?? 0);
  try {
    for (const step of setting.plan.steps) {
      if ('memory' in step) {
        const measured = megabytes(memory);
        if (measured !== undefined) {
          record(step.memory, { baseline: megabytes(bare.memory), measured });
        }
        continue;
      }
      if ('governed' in step) {
        await measureGoverned(setting, command, step.governed, bareFirst, record);
      } else {
        await measure(step, bare, runnerOf(proxy), bareFirst, record);
      }
    }
  } finally {
    memory.stop();
  }
}

/**
 * Two more of the proxy, one that keeps a policy and one that does not: of the same age, so that
 * all in which they differ is the policy.
 */
async function measureGoverned(
  { children, env, policy }: Setting,
  command: Command,
  measurements: readonly Measurement[],
  plainFirst: boolean,
  record: Recorder,
): Promise<void> {
  if (policy === undefined) return;
  const plain = await startProxy(children, command, env);
  let governed: StartedProxy | undefined;
  try {
    governed = await startProxy(children, command, { ...env, AGENTCORE_POLICY: policy });
    await expectGoverned(governed.client);
    for (const measurement of measurements) {
      await measure(measurement, runnerOf(plain), runnerOf(governed), plainFirst, record);
    }
  } finally {
    await Promise.all([plain.close(), governed?.close()]);
  }
}

/** Whoever can be given a workload. */
interface Runner {
  run(workload: Workload): Promise<readonly number[]>;
}

function runnerOf({ client }: StartedProxy): Runner {
  return { run: (workload) => runWorkload(client, workload) };
}

/** Has both take turns, and records what comes of it. */
async function measure(
  { workload, turns, figures }: Measurement,
  baseline: Runner,
  measured: Runner,
  baselineFirst: boolean,
  record: Recorder,
): Promise<void> {
  const pair = [
    { runner: baseline, samples: [] as number[] },
    { runner: measured, samples: [] as number[] },
  ] as const;
  const inTurn = baselineFirst ? pair : pair.toReversed();
  for (let turn = 0; turn < turns; turn++) {
    for (const { runner, samples } of inTurn) {
      const run = runner.run(workload);
      samples.push(...(await within(workloadLimitMs, `The workload "${workload.kind}"`, run)));
    }
  }
  const baselines = figures(pair[0].samples);
  for (const [id, value] of Object.entries(figures(pair[1].samples))) {
    const figure = id as FigureId;
    record(figure, { baseline: baselines[figure], measured: value });
  }
}

function megabytes(memory: PeakMemory): number | undefined {
  const bytes = memory.bytes();
  return bytes === undefined ? undefined : bytes / megabyte;
}
