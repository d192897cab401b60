import * as vscode from 'vscode';
import type { AssumeRole } from '../../aws/credentials/options.ts';
import { Settings } from './contributions.ts';
import { type ReadEntries, type RuntimeEntry, readEntries } from './runtime-entry.ts';
import { getWorkspaceFolder, resolveEntryPath } from './window-settings.ts';

/** An entry as written in the settings, not validated. */
export type WrittenEntry = Readonly<Record<string, unknown>> & { readonly name: string };

const SECTION = 'agentcore';

/** Maximum number of external IDs in memory. */
const MAX_EXTERNAL_IDS = 100;

/** Reads and writes the setting `agentcore.runtimes`. */
export class RuntimeStore implements vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #subscriptions: vscode.Disposable[];
  /**
   * External IDs by role chain. Includes those of removed entries, because their sessions can still
   * run.
   */
  readonly #externalIds = new Map<string, string>();
  #read: ReadEntries;

  constructor() {
    this.#read = this.#readAll();
    this.#subscriptions = [
      this.#changed,
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration(`${SECTION}.${Settings.runtimes}`)) this.#refresh();
      }),
      vscode.workspace.onDidGrantWorkspaceTrust(() => this.#refresh()),
      // Relative paths are resolved against the first workspace folder.
      vscode.workspace.onDidChangeWorkspaceFolders(() => this.#refresh()),
    ];
  }

  /** Fires when this store or the user changes the entries. */
  get onDidChange(): vscode.Event<void> {
    return this.#changed.event;
  }

  get entries(): readonly RuntimeEntry[] {
    return this.#read.entries;
  }

  get problems(): ReadEntries['problems'] {
    return this.#read.problems;
  }

  find(name: string): RuntimeEntry | undefined {
    return this.entries.find((entry) => entry.name === name);
  }

  /** The entry as written in the settings, including unknown fields. */
  written(name: string): WrittenEntry | undefined {
    return getNamedEntries(readRuntimesSetting()).find((entry) => entry.name === name);
  }

  /** The external ID of a role, from a current or an earlier entry of this window. */
  getExternalId({ arn, chain = [] }: Pick<AssumeRole, 'arn' | 'chain'>): string | undefined {
    return this.#externalIds.get([...chain, arn].join());
  }

  /** Adds an entry, or replaces the entry with the name `replaces`. */
  async save(entry: WrittenEntry, replaces: string = entry.name): Promise<void> {
    await this.#write(replaces, (entries) => {
      const index = entries.findIndex(({ name }) => name === replaces);
      return index < 0 ? [...entries, entry] : entries.with(index, entry);
    });
  }

  async remove(name: string): Promise<void> {
    await this.#write(name, (entries) => entries.filter((entry) => entry.name !== name));
  }

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  /**
   * Writes to the settings scope that contains the entry, so that only one scope defines it. A new
   * entry is written to the workspace if the workspace sets the list, because the workspace
   * overrides the user's list.
   */
  async #write(
    name: string,
    change: (entries: WrittenEntry[]) => readonly WrittenEntry[],
  ): Promise<void> {
    const configuration = vscode.workspace.getConfiguration(SECTION);
    const values = configuration.inspect<unknown>(Settings.runtimes);
    const has = (value: unknown) => getNamedEntries(value).some((entry) => entry.name === name);
    const isOfWorkspace = values?.workspaceValue !== undefined;
    const [value, scope] =
      has(values?.workspaceValue) || (isOfWorkspace && !has(values?.globalValue))
        ? [values?.workspaceValue, vscode.ConfigurationTarget.Workspace]
        : [values?.globalValue, vscode.ConfigurationTarget.Global];
    await configuration.update(Settings.runtimes, change(copyEntries(value)), scope);
  }

  #refresh(): void {
    this.#read = this.#readAll();
    this.#changed.fire();
  }

  #readAll(): ReadEntries {
    const all = read();
    for (const { role } of all.entries) {
      if (role?.externalId === undefined) continue;
      this.#externalIds.delete(role.arns.join());
      this.#externalIds.set(role.arns.join(), role.externalId);
    }
    for (const oldest of [...this.#externalIds.keys()].slice(0, -MAX_EXTERNAL_IDS)) {
      this.#externalIds.delete(oldest);
    }
    return all;
  }
}

function read(): ReadEntries {
  const { entries, problems } = readEntries(readRuntimesSetting());
  return { entries: entries.map(withPaths), problems };
}

/**
 * Makes the policy path absolute. The proxy accepts only absolute paths, because its working
 * directory can vary.
 */
export function withPaths(entry: RuntimeEntry): RuntimeEntry {
  return entry.policy === undefined
    ? entry
    : { ...entry, policy: resolveEntryPath(entry.policy, getWorkspaceFolder()) };
}

function readRuntimesSetting(): unknown {
  return vscode.workspace.getConfiguration(SECTION).get<unknown>(Settings.runtimes);
}

function getNamedEntries(value: unknown): WrittenEntry[] {
  return copyEntries(value).filter((entry) => typeof entry?.name === 'string');
}

/** Invalid entries are included, because the user wrote them. */
function copyEntries(value: unknown): WrittenEntry[] {
  return Array.isArray(value) ? [...value] : [];
}
