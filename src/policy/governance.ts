import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { getJournalDirectory } from '../base/environment.ts';
import type { Log } from '../base/logger.ts';
import { getMachine, readProcessState } from '../state/journal/processes.ts';
import type { Approver } from './approvals/approvals.ts';
import { PolicyDocumentSet } from './documents/document-set.ts';
import type { PolicyPlace } from './documents/locations.ts';
import { Counters } from './engine/counters.ts';
import { SpendingReader } from './engine/spending.ts';
import { PolicyInterceptor } from './policy-interceptor.ts';

interface PolicyStart {
  readonly places: readonly PolicyPlace[];
  readonly runtime: string;
  readonly stateFolder: string;
  readonly caller: () => Promise<string>;
  readonly approver?: Approver | undefined;
  readonly log: Log;
}

/** The policy of a program: its interceptor and its documents. */
interface StartedPolicy {
  readonly interceptor: PolicyInterceptor;
  /** The documents in force, for their redaction and audit sections. */
  readonly documents: PolicyDocumentSet;
}

/**
 * Reads the policy documents and creates the interceptor with its counters.
 *
 * @throws {AgentCoreError} if a path can never be a document, such as a FIFO.
 */
export function startPolicy(options: PolicyStart): StartedPolicy {
  const { places, runtime, stateFolder, caller, approver, log } = options;
  const documents = new PolicyDocumentSet(places, log);
  const spending = new SpendingReader(getJournalDirectory(stateFolder), Date.now);
  documents.start();
  const interceptor = new PolicyInterceptor({
    current: () => documents.current(),
    counters: new Counters(join(stateFolder, 'policy', 'counters'), Date.now),
    runtime,
    session: getAgentSessionId(),
    caller,
    spent: (window) => spending.in(window),
    approver,
    now: Date.now,
  });
  return { interceptor, documents };
}

/**
 * Identifies the agent's session by the parent process, so its counts survive a restart of the
 * proxy. If the parent process cannot be identified, each proxy counts as one session.
 */
function getAgentSessionId(): string {
  const { bootId, pidNamespace } = getMachine();
  const start = readProcessState(process.ppid)?.start;
  if (start === undefined) return `process ${randomUUID()}`;
  return ['parent', hostname(), bootId, pidNamespace, process.ppid, start].join(' ');
}
