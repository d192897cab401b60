import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { getErrorMessage } from '../../base/errors.ts';
import { isObject } from '../../mcp/message.ts';
import type { RequestContext } from '../../relay/peer.ts';
import {
  getApprovalsDirectory,
  MAX_PENDING,
  readAnswerFile,
  readPending,
  removeExpired,
  removePending,
  writePending,
} from '../../state/files/approval-files.ts';
import type { ApprovalQuestion } from '../engine/decision.ts';
import type { Approver } from './approvals.ts';
import { type Answer, formatQuestion, getApprovalTimeoutMs } from './elicitation.ts';

/** Milliseconds between checks for an answer. */
const POLL_INTERVAL_MS = 250;

/**
 * Asks the person in VS Code through a file in the state directory. For clients without form
 * elicitation. The user must enable it, because any program of the user could write an answer.
 */
export class PendingApprovals implements Approver {
  readonly #folder: string;
  readonly #hidesValues: () => boolean;
  readonly #now: () => number;

  constructor(options: {
    readonly stateFolder: string;
    /** True if a policy redacts values. The stored question then has no argument values. */
    readonly hidesValues: () => boolean;
    readonly now: () => number;
  }) {
    this.#folder = getApprovalsDirectory(options.stateFolder);
    this.#hidesValues = options.hidesValues;
    this.#now = options.now;
  }

  /** Rejects with the signal's reason if the call is cancelled. */
  async ask(question: ApprovalQuestion, { signal }: RequestContext): Promise<Answer> {
    const patience = getApprovalTimeoutMs(question);
    const now = this.#now();
    const id = randomUUID();
    const { tool, runtime, mayLast } = question;
    const asked = this.#hidesValues() ? withoutArgumentValues(question) : question;
    try {
      await removeExpired(this.#folder, now);
      if ((await readPending(this.#folder, now)).length >= MAX_PENDING) {
        return { refused: 'Too many calls wait for a person.' };
      }
      await writePending(this.#folder, {
        id,
        at: new Date(now).toISOString(),
        until: new Date(now + patience).toISOString(),
        tool,
        runtime,
        text: formatQuestion(asked),
        mayLast,
        pid: process.pid,
      });
      return await this.#answer(id, question, signal, now + patience);
    } catch (thrown) {
      if (signal.aborted) throw signal.reason;
      return { refused: `The person could not be asked: ${getErrorMessage(thrown)}.` };
    } finally {
      await removePending(this.#folder, id);
    }
  }

  async #answer(id: string, question: ApprovalQuestion, signal: AbortSignal, until: number) {
    while (this.#now() < until) {
      const given = await readAnswerFile(this.#folder, id);
      if (given === 'once' || (given === 'session' && question.mayLast)) return { agreed: given };
      if (given) return { refused: 'The person who was asked did not agree.' };
      await delay(POLL_INTERVAL_MS, undefined, { signal });
    }
    return { refused: `Nobody answered within ${getApprovalTimeoutMs(question) / 1000} s.` };
  }
}

/** Replaces the values of the arguments, and keeps their names. */
function withoutArgumentValues(question: ApprovalQuestion): ApprovalQuestion {
  const value: unknown = JSON.parse(question.arguments);
  const names = isObject(value) ? Object.keys(value) : [];
  const shown = Object.fromEntries(names.map((name) => [name, '(not shown)']));
  return { ...question, arguments: JSON.stringify(shown) };
}
