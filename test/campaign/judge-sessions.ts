import type { MicroVmRecord, SessionRecord } from '../../src/local/core/events.ts';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import { STOPPING_ENDS_MS } from '../../src/programs/main.ts';
import type { SessionInfo } from '../../src/sessions/session-info.ts';
import type { SessionFacts } from '../../src/state/journal/records.ts';
import type { Life } from './life.ts';
import type { Offence } from './offence.ts';

export interface SessionEvidence {
  readonly local: Pick<LocalRuntime, 'runtime'>;
  /** All microVMs of the campaign. */
  readonly microVms: readonly MicroVmRecord[];
  /** The running sessions after all proxies had ended. */
  readonly running: readonly SessionRecord[];
  /** The facts of the journal, by record and by session. */
  readonly facts: readonly SessionFacts[];
  readonly entries: readonly SessionInfo[];
  readonly lives: readonly Life[];
  /** The platform's history of a runtime session id. */
  readonly historyOf: (runtimeSessionId: string) => readonly string[];
}

/** Maximum number of history lines in a report. */
const MOST_HISTORY = 25;

/** The ids of a session. */
interface Ids {
  readonly runtime: string;
  readonly runtimeSessionId: string;
  readonly mcpSessionId?: string | undefined;
  readonly returnedId?: string | undefined;
}

/** Compares the journal with the actual sessions. */
export function judgeSessions(evidence: SessionEvidence): Offence[] {
  const { local, microVms, running, facts, entries } = evidence;
  const arnOf = (name: string) => local.runtime(name).arn;
  const wanted = evidence.lives.filter(mayLeaveSessions).map(({ client }) => client.pid);
  const offence = (rule: string, session: Ids, states = ''): Offence => {
    const { runtime, runtimeSessionId, mcpSessionId = 'none' } = session;
    const history = evidence.historyOf(runtimeSessionId).slice(-MOST_HISTORY).join('\n    ');
    const words = `${runtime} ${runtimeSessionId}, Mcp-Session-Id ${mcpSessionId}; ${states}`;
    return { rule, words: `${words}\n    ${history}` };
  };
  const unrecorded = microVms
    .filter((microVm) => !facts.some((known) => isSame(known, microVm, arnOf)))
    .map((microVm) => offence('no session is without a record', microVm));
  const judged = running.flatMap((session) => {
    // A stop by the runtime session id stops all of them.
    const matching = entries.filter((entry) => isSame(entry, session, arnOf));
    const billing = matching.filter(({ mayBill }) => mayBill);
    if (billing.length === 0) {
      const states = matching.map(({ id, state }) => `${id} is ${state}`).join(', ');
      return [offence('what runs is shown as what may bill', session, states)];
    }
    const isExplained = billing.some(
      ({ mode, stopFailure, programs }) =>
        mode === 'identity' || stopFailure || programs.some(({ pid }) => wanted.includes(pid)),
    );
    const words = billing.map(({ id, state }) => `${id} is ${state}`).join(', ');
    return isExplained ? [] : [offence('what a proxy began it stops', session, words)];
  });
  return [...unrecorded, ...judged];
}

/** On a busy machine, the time of a proxy to stop its sessions may be too short. */
function mayLeaveSessions({ planned, wasKilled, endMs = 0 }: Life): boolean {
  const isOutOfTime = endMs >= STOPPING_ENDS_MS;
  return wasKilled || planned.env.AGENTCORE_STOP_ON_EXIT === 'false' || isOutOfTime;
}

function isSame(known: Ids, there: Ids, arnOf: (name: string) => string): boolean {
  if (known.runtime !== arnOf(there.runtime)) return false;
  const { runtimeSessionId, mcpSessionId } = there;
  return (
    [known.runtimeSessionId, known.returnedId].includes(runtimeSessionId) ||
    (mcpSessionId !== undefined && known.mcpSessionId === mcpSessionId)
  );
}
