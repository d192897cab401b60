import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { ProgramRecord } from './records.ts';

/** Who this process is, as the head of its journal says it. */
export function programRecord(program: {
  readonly program: string;
  readonly version: string;
  readonly part: number;
  /** When the file is begun. */
  readonly at: Date;
  readonly name?: string | undefined;
}): ProgramRecord {
  const { bootId, pidNamespace } = thisMachine();
  const processStart = processState(process.pid)?.start;
  return {
    type: 'program',
    at: program.at.toISOString(),
    format: 1,
    host: hostname(),
    ...(bootId !== undefined && { bootId }),
    pid: process.pid,
    ...(pidNamespace !== undefined && { pidNamespace }),
    ...(processStart !== undefined && { processStart }),
    startedAt: new Date(performance.timeOrigin).toISOString(),
    program: program.program,
    version: program.version,
    ...(program.name !== undefined && { name: program.name }),
    parentPid: process.ppid,
    part: program.part,
  };
}

/** What tells this machine and its view of processes from others. */
export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly host: string;
  /** On Linux alone. */
  readonly bootId?: string | undefined;
  /** On Linux alone. */
  readonly pidNamespace?: string | undefined;
}

export function thisMachine(): Machine {
  return {
    platform: process.platform,
    host: hostname(),
    // None of these touches a disk: the kernel answers.
    bootId: attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()),
    pidNamespace: attempt(() => readlinkSync('/proc/self/ns/pid')),
  };
}

export interface ProcessState {
  /** When it started, in clock ticks since the boot, as the kernel writes it. */
  readonly start: string;
  /** It has ended, and only its parent has not asked how. */
  readonly hasEnded: boolean;
}

/** What Linux says of a process of ours; undefined elsewhere, and where it is none or hidden. */
export function processState(pid: number): ProcessState | undefined {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, 'latin1'));
  if (stat === undefined) return undefined;
  // The second field is the name in parentheses, in which anything can stand (proc_pid_stat(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  const start = fields[22 - 3];
  return start === undefined ? undefined : { start, hasEnded: state === 'Z' || state === 'X' };
}

/** False only where there is surely no process of that id. */
export function processExists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
