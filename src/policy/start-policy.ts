import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { processState, thisMachine } from '../journal/program-identity.ts';
import { journalFolder } from '../journal/state-folder.ts';
import type { Log } from '../log.ts';
import type { Approver } from './approvals/approvals.ts';
import { JournalSpending } from './budgets/journal-spending.ts';
import { Counters } from './counters/counters.ts';
import type { PolicyPlace } from './documents/policy-places.ts';
import { PolicySet } from './documents/policy-set.ts';
import { PolicyInterceptor } from './policy-interceptor.ts';

export interface PolicyStart {
  readonly places: readonly PolicyPlace[];
  readonly runtime: string;
  readonly stateFolder: string;
  readonly caller: () => Promise<string>;
  readonly approver?: Approver | undefined;
  readonly log: Log;
}

/** The policy of a program: the interceptor and the documents. */
export interface StartedPolicy {
  readonly interceptor: PolicyInterceptor;
  /** The documents in force, for their redaction and audit sections. */
  readonly documents: PolicySet;
}

export function startPolicy(options: PolicyStart): StartedPolicy {
  const { places, runtime, stateFolder, caller, approver, log } = options;
  const documents = new PolicySet(places, log);
  const spending = new JournalSpending(journalFolder(stateFolder), Date.now);
  documents.start();
  const interceptor = new PolicyInterceptor({
    current: () => documents.current(),
    counters: new Counters(join(stateFolder, 'policy', 'counters'), Date.now),
    runtime,
    session: agentSession(),
    caller,
    spent: (window) => spending.in(window),
    approver,
    now: Date.now,
  });
  return { interceptor, documents };
}

/**
 * Identifies the agent's session by the parent process, so that its counts survive a restart of the
 * proxy. If the system cannot identify the parent process, this process is its own session.
 */
function agentSession(): string {
  const { bootId, pidNamespace } = thisMachine();
  const start = processState(process.ppid)?.start;
  if (start === undefined) return `process ${randomUUID()}`;
  return ['parent', hostname(), bootId, pidNamespace, process.ppid, start].join(' ');
}
