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

/** What keeps a program's messages within the documents at some places. */
export interface StartedPolicy {
  readonly interceptor: PolicyInterceptor;
  /** The documents that hold, for their sections about redaction and audit. */
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
 * Names the agent's session: the program that started this one, so that what it has used up is not
 * forgotten when it starts the proxy once more. Where the system does not tell who that is, this
 * process is a session of its own.
 */
function agentSession(): string {
  const { bootId, pidNamespace } = thisMachine();
  const start = processState(process.ppid)?.start;
  if (start === undefined) return `process ${randomUUID()}`;
  return ['parent', hostname(), bootId, pidNamespace, process.ppid, start].join(' ');
}
