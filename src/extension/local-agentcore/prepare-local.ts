import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestCommand } from '../../confirmed-commands.ts';
import { AgentCoreError } from '../../error.ts';
import { fileFailure } from '../../file-failure.ts';
import type { CommandConsent } from '../consent/command-consent.ts';
import { Settings } from '../contributions.ts';
import { entryPath } from '../runtimes/entry-path.ts';
import type { PreparationStep } from '../servers/server-preparation.ts';
import { isWorkspacePath, isWorkspaceSetting } from '../workspace-settings.ts';
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
    const path = config === undefined ? await this.#writeSample() : this.pathOf(config);
    const known = this.#byConfig.get(path);
    if (known) return known;
    const local = new LocalAgentCore({ ...this.#options, config: path });
    this.#byConfig.set(path, local);
    return local;
  }

  pathOf(config: string): string {
    return entryPath(config, this.#places.folder());
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

/**
 * Starts the local AgentCore of an entry before its server starts, and gives the server its address.
 *
 * @returns a step that throws {@link AgentCoreError} `credentials` if the workspace has a say in the
 *   commands of the configuration, and they are not confirmed.
 */
export function prepareLocal(
  locals: LocalAgentCores,
  consent: Pick<CommandConsent, 'require'>,
): PreparationStep {
  return async ({ name, target }) => {
    if (target.kind !== 'local') return undefined;
    const { config, runtime } = target;
    const local = await locals.of(config);
    // One that runs has read its configuration.
    if (local.pid === undefined) {
      const isOfWorkspace =
        config !== undefined && (isWorkspaceSetting(Settings.runtimes) || isWorkspacePath(config));
      local.confirmed = isOfWorkspace ? await confirmed(locals.pathOf(config)) : undefined;
    }
    return localVariables(await local.ready(), runtime);

    async function confirmed(path: string): Promise<string> {
      const command = { kind: 'localConfig', text: await readText(path) } as const;
      consent.require(command, name);
      return digestCommand(command);
    }
  };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new AgentCoreError('config', `Could not read ${path}: ${fileFailure(cause)}`, { cause });
  }
}
