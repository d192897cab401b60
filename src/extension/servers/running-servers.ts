import * as vscode from 'vscode';
import type { FollowedRecord } from '../../journal/follow.ts';
import type { LivePrograms } from '../../journal/live-programs.ts';
import type { CallRecord } from '../../journal/records.ts';
import type { JournalWatch } from '../journal/journal-watch.ts';

/** Where a server runs: as a process of this window, or of another window or program. */
export type RunningPlace = 'here' | 'elsewhere';

interface RunningServer {
  readonly pid: number;
  readonly place: RunningPlace;
}

/** Milliseconds between a record in the journal and the look at who writes it. */
const SETTLE = 300;

/**
 * Which servers run, by the heads of the journal: VS Code says so to nobody. A proxy names itself as
 * its entry is named, and one of this window was started by this process.
 */
export class RunningServers implements vscode.Disposable {
  readonly #journal: Pick<JournalWatch, 'sessions'>;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #subscriptions: vscode.Disposable[];
  /** One for each name, and so no more than there are entries. */
  readonly #handshakes = new Map<string, CallRecord & { readonly pid: number }>();
  #programs: Promise<LivePrograms> | undefined;
  #servers: ReadonlyMap<string, readonly RunningServer[]> = new Map();
  #looking: Promise<void> | undefined;
  #settling: NodeJS.Timeout | undefined;

  constructor(journal: Pick<JournalWatch, 'sessions' | 'onDidRecord' | 'onDidChange'>) {
    this.#journal = journal;
    this.#subscriptions = [
      this.#changed,
      journal.onDidRecord((followed) => {
        if (followed) this.#note(followed);
        this.#settle();
      }),
      // It looks now and then, because a program that dies writes nothing.
      journal.onDidChange(() => this.#settle()),
    ];
  }

  /** Fired when servers have come or gone. */
  get onDidChange(): vscode.Event<void> {
    return this.#changed.event;
  }

  /** Undefined where it does not run. One in this window counts before others. */
  placeOf(name: string): RunningPlace | undefined {
    const servers = this.#servers.get(name) ?? [];
    return servers.find(({ place }) => place === 'here')?.place ?? servers[0]?.place;
  }

  /** The processes of a server in this window. */
  pidsOf(name: string): readonly number[] {
    const servers = this.#servers.get(name) ?? [];
    return servers.filter(({ place }) => place === 'here').map(({ pid }) => pid);
  }

  /**
   * How the last `initialize` of a server in this window ended, once that is on record.
   *
   * @param since Milliseconds since 1970: one that came before is not meant.
   */
  handshakeOf(name: string, since: number): CallRecord | undefined {
    const handshake = this.#handshakes.get(name);
    return handshake && Date.parse(handshake.at) >= since ? handshake : undefined;
  }

  /** Whether a server runs in this window, and has answered the `initialize` that it began with. */
  hasAnswered(name: string): boolean {
    const handshake = this.#handshakes.get(name);
    return handshake?.outcome === 'result' && this.pidsOf(name).includes(handshake.pid);
  }

  /** Looks now. Never rejects: where the journal cannot be read, nothing is known to run. */
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
    }, SETTLE);
  }

  async #look(): Promise<void> {
    const servers = await this.#read().catch(() => new Map<string, RunningServer[]>());
    const before = textOf(this.#servers);
    this.#servers = servers;
    if (textOf(servers) !== before) this.#changed.fire();
  }

  async #read(): Promise<Map<string, RunningServer[]>> {
    this.#programs ??= Promise.all([
      import('../../journal/live-programs.ts'),
      this.#journal.sessions(),
    ]).then(([{ LivePrograms: Programs }, { folder }]) => new Programs(folder));
    const servers = new Map<string, RunningServer[]>();
    for (const { program, name, pid, parentPid } of await (await this.#programs).list()) {
      if (program !== 'proxy' || name === undefined) continue;
      const place = parentPid === process.pid ? 'here' : 'elsewhere';
      servers.set(name, [...(servers.get(name) ?? []), { pid, place }]);
    }
    return servers;
  }
}

function textOf(servers: ReadonlyMap<string, readonly RunningServer[]>): string {
  return JSON.stringify([...servers]);
}
