import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** The memory of a process and all its descendants (a command may be a shell, npx, a wrapper). */
export interface PeakMemory {
  /** The peak resident set in bytes so far, or undefined where nothing can tell. */
  bytes(): number | undefined;
  stop(): void;
}

/**
 * Linux keeps the peak of each process itself (VmHWM): exact, and free until it is read. The sum
 * over a tree is an upper bound, as not all of them peak at once.
 */
class KernelPeak implements PeakMemory {
  readonly #pid: number;

  constructor(pid: number) {
    this.#pid = pid;
  }

  bytes(): number | undefined {
    return peakOfTree(this.#pid) || undefined;
  }

  stop(): void {}
}

function peakOfTree(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const own = Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
    const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean),
    );
    return children.reduce((sum, child) => sum + peakOfTree(Number(child)), own);
  } catch {
    // It ended between two reads.
    return 0;
  }
}

const sampleEveryMs = 250;

/** Elsewhere the current size is sampled, so that a short peak can be missed. */
class SampledPeak implements PeakMemory {
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;
  #highest: number | undefined;

  constructor(pid: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => this.#sample(), sampleEveryMs);
    this.#sample();
  }

  bytes(): number | undefined {
    return this.#highest;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    execFile('ps', ['-A', '-o', 'pid=,ppid=,rss='], { timeout: 2000 }, (error, stdout) => {
      if (error) return;
      const size = sizeOfTree(this.#pid, stdout);
      if (size > (this.#highest ?? 0)) this.#highest = size;
    });
  }
}

function sizeOfTree(root: number, listing: string): number {
  const processes = listing
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([pid = 0, parent = 0, kilobytes = 0]) => ({ pid, parent, bytes: kilobytes * 1024 }));
  const sizeOf = (pid: number): number =>
    processes
      .filter(({ parent }) => parent === pid && pid !== 0)
      .reduce(
        (sum, child) => sum + sizeOf(child.pid),
        processes.find((process) => process.pid === pid)?.bytes ?? 0,
      );
  return sizeOf(root);
}

const unknown: PeakMemory = { bytes: () => undefined, stop: () => {} };

export function watchPeakMemory(pid: number): PeakMemory {
  if (process.platform === 'linux') return new KernelPeak(pid);
  return process.platform === 'win32' ? unknown : new SampledPeak(pid);
}

/** How memory is measured here, for the report. */
export function memoryMethod(): string {
  if (process.platform === 'linux') return 'VmHWM of the process and its descendants';
  if (process.platform === 'win32') return 'not measured on Windows';
  return `ps, sampled every ${sampleEveryMs} ms`;
}
