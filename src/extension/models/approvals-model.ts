import { type Environment, getStateDirectory } from '../../base/environment.ts';
import { WatchedValue } from '../../base/watched-value.ts';
import type { ApprovalFiles } from '../../state/files/approval-files.ts';
import type { GivenAnswer, PendingApproval } from '../../state/store.ts';

/** Poll interval in milliseconds, for file systems without change notifications. */
const POLL_INTERVAL_MS = 5_000;

/** Debounce in milliseconds, after a change in the directory of approvals. */
const DEBOUNCE_MS = 100;

/** The pending approvals of all programs of this user, oldest first. */
export class ApprovalsModel extends WatchedValue<readonly PendingApproval[]> {
  readonly #env: () => Environment;

  constructor(env: () => Environment, pollIntervalMs: number = POLL_INTERVAL_MS) {
    super({
      initial: [],
      load: () => this.#read(),
      isEqual: (one, other) => joinIds(one) === joinIds(other),
      debounceMs: DEBOUNCE_MS,
      pollIntervalMs: () => pollIntervalMs,
    });
    this.#env = env;
  }

  /**
   * Writes the user's answer.
   *
   * @returns `false` if the call no longer waits.
   */
  async answer(pending: PendingApproval, answer: GivenAnswer): Promise<boolean> {
    const isTaken = await (await this.#open()).answer(pending, answer);
    await this.refresh();
    return isTaken;
  }

  async #read(): Promise<readonly PendingApproval[]> {
    try {
      const approvals = await this.#open();
      this.watch(approvals.folder);
      return await approvals.list();
    } catch {
      // If the directory is unreadable, no call can be answered. The proxy denies a call after its
      // timeout.
      return [];
    }
  }

  async #open(): Promise<ApprovalFiles> {
    const files = await import('../../state/files/approval-files.ts');
    return new files.ApprovalFiles(files.getApprovalsDirectory(getStateDirectory(this.#env())));
  }
}

function joinIds(all: readonly PendingApproval[]): string {
  return all.map(({ id }) => id).join();
}
