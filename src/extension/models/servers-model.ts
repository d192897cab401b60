import * as vscode from 'vscode';
import type { FollowedRecord } from '../../state/journal/follow.ts';
import type { RunningPrograms } from '../../state/journal/reader.ts';
import type { CallRecord } from '../../state/journal/records.ts';
import type { SessionsModel } from './sessions-model.ts';

/** The place of a server's process: this window, or another window or program. */
export type RunningPlace = 'here' | 'elsewhere';

interface RunningServer {
  readonly pid: number;
  readonly place: RunningPlace;
}

/** Debounce in milliseconds after a journal record. */
const DEBOUNCE_MS = 300;

/**
 * The running servers. VS Code has no API for them, so this reads the programs from the journal. A
 * proxy's record contains the name of its entry. It belongs to this window if its parent is this
 * process.
 */
export class ServersModel implements vscode.Disposable {
  readonly #journal: Pick<SessionsModel, 'sessions'>;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #subscriptions: vscode.Disposable[];
  /** The last `initialize` call of each server in this window, by server name. */
  readonly #handshakes = new Map<string, CallRecord & { readonly pid: number }>();
  #programs: Promise<RunningPrograms> | undefined;
  #servers: ReadonlyMap<string, readonly RunningServer[]> = new Map();
  #looking: Promise<void> | undefined;
  #settling: NodeJS.Timeout | undefined;

  constructor(journal: Pick<SessionsModel, 'sessions' | 'onDidRecord' | 'onDidChange'>) {
    this.#journal = journal;
    this.#subscriptions = [
      this.#changed,
      journal.onDidRecord((followed) => {
        if (followed) this.#note(followed);
        this.#settle();
      }),
      // `SessionsModel` also fires after each poll. This detects killed programs, because they
      // write no record.
      journal.onDidChange(() => this.#settle()),
    ];
  }

  /** Fires when servers start or exit. */
  get onDidChange(): vscode.Event<void> {
    return this.#changed.event;
  }

  /**
   * The place of a running server. If it runs in several, `here` takes precedence. `undefined` if
   * it does not run.
   */
  getRunningPlace(name: string): RunningPlace | undefined {
    const servers = this.#servers.get(name) ?? [];
    return servers.find(({ place }) => place === 'here')?.place ?? servers[0]?.place;
  }

  /** Process ids of a server in this window. */
  getPids(name: string): readonly number[] {
    const servers = this.#servers.get(name) ?? [];
    return servers.filter(({ place }) => place === 'here').map(({ pid }) => pid);
  }

  /**
   * Returns the last `initialize` call of a server in this window, if it is recorded.
   *
   * @param since Milliseconds since 1970. Earlier calls are ignored.
   */
  findHandshake(name: string, since: number): CallRecord | undefined {
    const handshake = this.#handshakes.get(name);
    return handshake && Date.parse(handshake.at) >= since ? handshake : undefined;
  }

  /** Whether a server runs in this window and its `initialize` has succeeded. */
  hasAnswered(name: string): boolean {
    const handshake = this.#handshakes.get(name);
    return handshake?.outcome === 'result' && this.getPids(name).includes(handshake.pid);
  }

  /**
   * Reads the journal now. Never rejects: if the journal is unreadable, no server counts as
   * running.
   */
  refresh(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  dispose(): void {
    clearTimeout(this.#settling);
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  #note({ record, head }: FollowedRecord): void {
    if (record.type !== 'call' || record.method !== 'initialize') return;
    if (head.parentPid !== process.pid || head.name === undefined) return;
    this.#handshakes.set(head.name, { ...record, pid: head.pid });
  }

  #settle(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      void this.refresh();
    }, DEBOUNCE_MS);
  }

  async #look(): Promise<void> {
    const servers = await this.#read().catch(() => new Map<string, RunningServer[]>());
    const before = serializeServers(this.#servers);
    this.#servers = servers;
    if (serializeServers(servers) !== before) this.#changed.fire();
  }

  async #read(): Promise<Map<string, RunningServer[]>> {
    this.#programs ??= Promise.all([
      import('../../state/journal/reader.ts'),
      this.#journal.sessions(),
    ]).then(([{ RunningPrograms: Programs }, { folder }]) => new Programs(folder));
    const servers = new Map<string, RunningServer[]>();
    for (const { program, name, pid, parentPid } of await (await this.#programs).list()) {
      if (program !== 'proxy' || name === undefined) continue;
      const place = parentPid === process.pid ? 'here' : 'elsewhere';
      servers.set(name, [...(servers.get(name) ?? []), { pid, place }]);
    }
    return servers;
  }
}

function serializeServers(servers: ReadonlyMap<string, readonly RunningServer[]>): string {
  return JSON.stringify([...servers]);
}
