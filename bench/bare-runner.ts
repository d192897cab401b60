import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { AgentCoreError } from '../src/base/errors.ts';
import type { BareTarget } from './bare.ts';
import type { BareOrder, BareReport } from './bare-process.ts';
import type { Children } from './children.ts';
import { within } from './deadline.ts';
import { type PeakMemory, watchPeakMemory } from './memory.ts';
import type { Workload } from './workloads.ts';

const startMs = 20_000;

/** The process that makes the bare calls, as seen from outside. */
export class BareRunner {
  readonly memory: PeakMemory;
  readonly #child: ChildProcess;
  readonly #children: Children;

  private constructor(child: ChildProcess, children: Children) {
    this.#child = child;
    this.#children = children;
    this.memory = watchPeakMemory(child.pid ?? 0);
  }

  static async start(children: Children, program: string, target: BareTarget): Promise<BareRunner> {
    const runner = new BareRunner(children.fork(program), children);
    await within(startMs, 'connecting the bare caller', runner.#order({ connect: target }));
    return runner;
  }

  async run(workload: Workload): Promise<readonly number[]> {
    return await this.#order({ run: workload });
  }

  async close(): Promise<void> {
    this.memory.stop();
    await this.#children.end(this.#child);
  }

  async #order(order: BareOrder): Promise<readonly number[]> {
    const answered = new AbortController();
    const { signal } = answered;
    const ended = once(this.#child, 'exit', { signal }).then(() => {
      throw new AgentCoreError('connection', 'The process of the bare caller ended');
    });
    // It loses the race below as a rule, and is aborted then.
    ended.catch(() => {});
    try {
      const report = once(this.#child, 'message', { signal }).then(([it]) => it as BareReport);
      this.#child.send(order);
      const given = await Promise.race([report, ended]);
      if ('samples' in given) return given.samples;
      throw new AgentCoreError('upstream', `The bare caller failed: ${given.failure}`);
    } finally {
      answered.abort();
    }
  }
}
