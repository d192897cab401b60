import { HEARTBEAT, HEARTBEATS_MISSED } from './heartbeat.ts';
import {
  type Machine,
  type ProcessState,
  processExists,
  processState,
  thisMachine,
} from './program-identity.ts';
import type { ProgramRecord } from './records.ts';

/** Whether the program that wrote a file still runs; of another machine's, nobody here can say. */
export type Liveness = 'alive' | 'dead' | 'elsewhere';

/** The place from which a program is looked at. */
export interface Viewpoint extends Machine {
  exists(pid: number): boolean;
  state(pid: number): ProcessState | undefined;
  /** How often programs touch their files, in milliseconds. */
  readonly heartbeat: number;
}

export function viewpoint(heartbeat: number = HEARTBEAT): Viewpoint {
  return { ...thisMachine(), exists: processExists, state: processState, heartbeat };
}

/**
 * Whether the program of a file runs.
 *
 * @param head The first record of the file.
 * @param heartbeatAt When the program last touched its file.
 */
export function isAlive(
  head: ProgramRecord,
  heartbeatAt: Date,
  now: Date,
  here: Viewpoint,
): Liveness {
  if (head.host !== here.host) return 'elsewhere';
  if (head.bootId !== undefined && here.bootId !== undefined && head.bootId !== here.bootId) {
    return 'dead';
  }
  if (sharesPids(head, here)) {
    if (!here.exists(head.pid)) return 'dead';
    const state = here.state(head.pid);
    if (state?.hasEnded) return 'dead';
    // A process that is suspended touches nothing and lives all the same.
    if (state && head.processStart !== undefined) {
      return state.start === head.processStart ? 'alive' : 'dead';
    }
  }
  const silence = now.getTime() - heartbeatAt.getTime();
  return silence > HEARTBEATS_MISSED * here.heartbeat ? 'dead' : 'alive';
}

/** True where a process id means the same process here as it did to the writer. */
function sharesPids(head: ProgramRecord, here: Viewpoint): boolean {
  if (head.pidNamespace !== undefined || here.pidNamespace !== undefined) {
    return head.pidNamespace === here.pidNamespace;
  }
  // A Linux that hides its namespaces may have several; the other systems have one.
  return here.platform !== 'linux';
}
