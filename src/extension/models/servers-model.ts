import { WatchedValue } from '../../base/watched-value.ts';
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

/** Poll interval in milliseconds, while a view shows the servers. */
const POLL_INTERVAL_MS = 5_000;

/** The processes of the running servers, by server name. */
type RunningServers = ReadonlyMap<string, readonly RunningServer[]>;

/**
 * The running servers. VS Code has no API for them, so this reads the programs from the journal. A
 * proxy's record contains the name of its entry. It belongs to this window if its parent is this
 * process. If the journal is unreadable, no server counts as running.
 */
export class ServersModel extends WatchedValue<RunningServers> {
  readonly #journal: Pick<SessionsModel, 'sessions'>;
  /** The last `initialize` call of each server in this window, by server name. */
  readonly #handshakes = new Map<string, CallRecord & { readonly pid: number }>();
  #programs: Promise<RunningPrograms> | undefined;

  constructor(journal: Pick<SessionsModel, 'sessions' | 'onDidRecord' | 'onDidChange'>) {
    super({
      initial: new Map(),
      load: () => this.#read().catch(() => new Map()),
      isEqual: (one, other) => serializeServers(one) === serializeServers(other),
      debounceMs: DEBOUNCE_MS,
      pollIntervalMs: () => POLL_INTERVAL_MS,
    });
    this.#journal = journal;
    journal.onDidRecord((followed) => {
      if (followed) this.#note(followed);
      this.invalidate();
    });
    // `SessionsModel` also fires after each poll. This detects killed programs, because they
    // write no record.
    journal.onDidChange(() => this.invalidate());
  }

  /**
   * The place of a running server. If it runs in several, `here` takes precedence. `undefined` if
   * it does not run.
   */
  getRunningPlace(name: string): RunningPlace | undefined {
    const servers = this.value.get(name) ?? [];
    return servers.find(({ place }) => place === 'here')?.place ?? servers[0]?.place;
  }

  /** Process ids of a server in this window. */
  getPids(name: string): readonly number[] {
    const servers = this.value.get(name) ?? [];
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

  #note({ record, head }: FollowedRecord): void {
    if (record.type !== 'call' || record.method !== 'initialize') return;
    if (head.parentPid !== process.pid || head.name === undefined) return;
    this.#handshakes.set(head.name, { ...record, pid: head.pid });
  }

  async #read(): Promise<RunningServers> {
    this.#programs ??= Promise.all([
      import('../../state/journal/reader.ts'),
      this.#journal.sessions(),
    ]).then(([{ RunningPrograms }, { folder }]) => new RunningPrograms(folder));
    const servers = new Map<string, RunningServer[]>();
    for (const { program, name, pid, parentPid } of await (await this.#programs).list()) {
      if (program !== 'proxy' || name === undefined) continue;
      const place = parentPid === process.pid ? 'here' : 'elsewhere';
      servers.set(name, [...(servers.get(name) ?? []), { pid, place }]);
    }
    return servers;
  }
}

function serializeServers(servers: RunningServers): string {
  return JSON.stringify([...servers]);
}
