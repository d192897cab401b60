import { randomUUID } from 'node:crypto';
import { getErrorMessage } from '../../base/errors.ts';
import { isObject } from '../../mcp/message.ts';
import type { RequestContext } from '../../relay/peer.ts';
import type { ApprovalStore, PendingApproval } from '../../state/store.ts';
import type { ApprovalQuestion } from '../engine/decision.ts';
import type { Approver } from './approvals.ts';
import { type Answer, formatQuestion, getApprovalTimeoutMs } from './elicitation.ts';

/**
 * Asks the person in VS Code through the state of all programs. For clients without form
 * elicitation. The user must enable it, because any program of the user could write an answer.
 */
export class StoredApprover implements Approver {
  readonly #store: ApprovalStore;
  readonly #hidesValues: () => boolean;

  /**
   * @param hidesValues True if a policy redacts values. The stored question then has no argument
   *   values.
   */
  constructor(store: ApprovalStore, hidesValues: () => boolean) {
    this.#store = store;
    this.#hidesValues = hidesValues;
  }

  /** Rejects with the signal's reason if the call is cancelled. */
  async ask(question: ApprovalQuestion, { signal }: RequestContext): Promise<Answer> {
    const timeoutMs = getApprovalTimeoutMs(question);
    const now = Date.now();
    const { tool, runtime, mayLast } = question;
    const pending: PendingApproval = {
      id: randomUUID(),
      at: new Date(now).toISOString(),
      until: new Date(now + timeoutMs).toISOString(),
      tool,
      runtime,
      text: formatQuestion(this.#hidesValues() ? withoutArgumentValues(question) : question),
      mayLast,
      pid: process.pid,
    };
    try {
      if (!(await this.#store.put(pending))) {
        return { refused: 'Too many calls wait for a person.' };
      }
      const given = await this.#store.wait(pending, signal);
      if (given === 'once' || (given === 'session' && mayLast)) return { agreed: given };
      if (given) return { refused: 'The person who was asked did not agree.' };
      return { refused: `Nobody answered within ${timeoutMs / 1000} s.` };
    } catch (thrown) {
      if (signal.aborted) throw signal.reason;
      return { refused: `The person could not be asked: ${getErrorMessage(thrown)}.` };
    } finally {
      await this.#store.remove(pending.id);
    }
  }
}

/** Replaces the values of the arguments, and keeps their names. */
function withoutArgumentValues(question: ApprovalQuestion): ApprovalQuestion {
  const value: unknown = JSON.parse(question.arguments);
  const names = isObject(value) ? Object.keys(value) : [];
  const shown = Object.fromEntries(names.map((name) => [name, '(not shown)']));
  return { ...question, arguments: JSON.stringify(shown) };
}
