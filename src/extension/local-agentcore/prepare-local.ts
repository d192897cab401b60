import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { entryPath } from '../runtimes/entry-path.ts';
import type { PreparationStep } from '../servers/server-preparation.ts';
import { LocalAgentCore, type LocalOptions } from './local-agentcore.ts';
import { localVariables } from './local-variables.ts';
import { sampleConfig } from './sample-config.ts';

export interface LocalPlaces {
  /** The extension's own folder on this machine. */
  readonly storage: string;
  /** The path of the sample's server. */
  readonly sampleServer: string;
  /** The folder that relative paths of configurations start at; absent where none is open. */
  readonly folder: () => string | undefined;
}

/** The local AgentCores of this window: one for each configuration that an entry names. */
export class LocalAgentCores {
  readonly #options: Omit<LocalOptions, 'config'>;
  readonly #places: LocalPlaces;
  readonly #byConfig = new Map<string, LocalAgentCore>();

  constructor(options: Omit<LocalOptions, 'config'>, places: LocalPlaces) {
    this.#options = options;
    this.#places = places;
  }

  /** The one of a configuration, or of the sample. */
  async of(config: string | undefined): Promise<LocalAgentCore> {
    const path =
      config === undefined ? await this.#writeSample() : entryPath(config, this.#places.folder());
    const known = this.#byConfig.get(path);
    if (known) return known;
    const local = new LocalAgentCore({ ...this.#options, config: path });
    this.#byConfig.set(path, local);
    return local;
  }

  dispose(): void {
    for (const local of this.#byConfig.values()) local.dispose();
  }

  /** Anew for each version of the extension and of VS Code, whose paths are in it. */
  async #writeSample(): Promise<string> {
    const { storage, sampleServer } = this.#places;
    const path = join(storage, 'sample-agentcore.json');
    const text = sampleConfig(process.execPath, sampleServer);
    if ((await readFile(path, 'utf8').catch(() => '')) !== text) {
      await mkdir(storage, { recursive: true });
      await writeFile(path, text);
    }
    return path;
  }
}

/** Has the local AgentCore of an entry serve before its server starts, and tells the server where. */
export function prepareLocal(locals: LocalAgentCores): PreparationStep {
  return async ({ target }) => {
    if (target.kind !== 'local') return undefined;
    const local = await locals.of(target.config);
    return localVariables(await local.ready(), target.runtime);
  };
}
