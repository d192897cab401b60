import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { ProgramRecord } from './records.ts';

/**
 * Identifies the program of a journal file and checks whether it is still running: by host, boot,
 * process id, start time and heartbeat.
 */

/** Creates the head record of this process. */
export function createProgramRecord(program: {
  readonly program: string;
  readonly version: string;
  readonly part: number;
  /** Start time of the file. */
  readonly at: Date;
  readonly name?: string | undefined;
}): ProgramRecord {
  const { bootId, pidNamespace } = getMachine();
  const processStart = readProcessState(process.pid)?.start;
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

/** Identifies this machine and its process ID namespace. */
interface Machine {
  readonly platform: NodeJS.Platform;
  readonly host: string;
  /** Linux only. */
  readonly bootId?: string | undefined;
  /** Linux only. */
  readonly pidNamespace?: string | undefined;
}

/** Returns the identity of this machine. Members are `undefined` if the system has none. */
export function getMachine(): Machine {
  return {
    platform: process.platform,
    host: hostname(),
    // The kernel provides these files, so reading them needs no disk access.
    bootId: tryRead(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()),
    pidNamespace: tryRead(() => readlinkSync('/proc/self/ns/pid')),
  };
}

interface ProcessState {
  /** Start time in clock ticks since boot, as the kernel formats it. */
  readonly start: string;
  /** True for a zombie: the process has ended, but its parent has not collected the status. */
  readonly hasEnded: boolean;
}

/**
 * The state of a process on Linux. `undefined` on other systems, or if the process does not exist
 * or is hidden.
 */
export function readProcessState(pid: number): ProcessState | undefined {
  const stat = tryRead(() => readFileSync(`/proc/${pid}/stat`, 'latin1'));
  if (stat === undefined) return undefined;
  // The second field is the name in parentheses, and it may contain any character
  // (proc_pid_stat(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  const start = fields[22 - 3];
  return start === undefined ? undefined : { start, hasEnded: state === 'Z' || state === 'X' };
}

/** False only if there is certainly no such process. */
function isProcessRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function tryRead<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/**
 * State of the program that wrote a file. `elsewhere`: it ran on another machine and cannot be
 * checked.
 */
export type Liveness = 'alive' | 'dead' | 'elsewhere';

/** The machine that checks, with its process table. */
export interface Viewpoint extends Machine {
  exists(pid: number): boolean;
  state(pid: number): ProcessState | undefined;
  /** Milliseconds between touches of a program's file. */
  readonly heartbeat: number;
}

/** @param heartbeat Milliseconds between touches of a program's file. */
export function getHostView(heartbeat: number = HEARTBEAT): Viewpoint {
  return { ...getMachine(), exists: isProcessRunning, state: readProcessState, heartbeat };
}

/**
 * Checks whether the program of a file is running.
 *
 * @param head The first record of the file.
 * @param heartbeatAt When the program last touched its file.
 */
export function getLiveness(
  head: ProgramRecord,
  heartbeatAt: Date,
  now: Date,
  here: Viewpoint,
): Liveness {
  if (head.host !== here.host) return 'elsewhere';
  if (head.bootId !== undefined && here.bootId !== undefined && head.bootId !== here.bootId) {
    return 'dead';
  }
  if (hasSamePidNamespace(head, here)) {
    if (!here.exists(head.pid)) return 'dead';
    const state = here.state(head.pid);
    if (state?.hasEnded) return 'dead';
    // A suspended process is alive although it does not touch its file.
    if (state && head.processStart !== undefined) {
      return state.start === head.processStart ? 'alive' : 'dead';
    }
  }
  const silence = now.getTime() - heartbeatAt.getTime();
  return silence > HEARTBEATS_MISSED * here.heartbeat ? 'dead' : 'alive';
}

/** True if a process ID means the same here as for the writer. */
function hasSamePidNamespace(head: ProgramRecord, here: Viewpoint): boolean {
  if (head.pidNamespace !== undefined || here.pidNamespace !== undefined) {
    return head.pidNamespace === here.pidNamespace;
  }
  // A Linux system that hides its namespaces may have several. Other systems have only one.
  return here.platform !== 'linux';
}

/** Milliseconds between touches of a program's journal file. */
export const HEARTBEAT = 10_000;

/** If no other check is possible, a program counts as dead after this many missed heartbeats. */
const HEARTBEATS_MISSED = 3;
