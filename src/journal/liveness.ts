import { HEARTBEAT, HEARTBEATS_MISSED } from './heartbeat.ts';
import {
  getMachine,
  isProcessRunning,
  type Machine,
  type ProcessState,
  readProcessState,
} from './program-identity.ts';
import type { ProgramRecord } from './records.ts';

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
