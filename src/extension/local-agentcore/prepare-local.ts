import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentCoreError, describeFileError } from '../../base/errors.ts';
import { digestCommand } from '../../base/exec.ts';
import type { CommandConsent } from '../consent/command-consent.ts';
import { Settings } from '../contributions.ts';
import { resolveEntryPath } from '../runtimes/entry-path.ts';
import type { PreparationStep } from '../servers/server-preparation.ts';
import { isWorkspacePath, isWorkspaceSetting } from '../workspace-settings.ts';
import { LocalAgentCore, type LocalOptions } from './local-agentcore.ts';
import { createLocalVariables } from './local-variables.ts';
import { createSampleConfig } from './sample-config.ts';

interface LocalPlaces {
  /** The extension's storage directory on this machine. */
  readonly storage: string;
  /** The path of the sample server. */
  readonly sampleServer: string;
  /** The base of relative configuration paths. Returns `undefined` if no folder is open. */
  readonly folder: () => string | undefined;
}

/** The local AgentCores of this window, one per configuration file. */
export class LocalAgentCores {
  readonly #options: Omit<LocalOptions, 'config'>;
  readonly #places: LocalPlaces;
  readonly #byConfig = new Map<string, LocalAgentCore>();

  constructor(options: Omit<LocalOptions, 'config'>, places: LocalPlaces) {
    this.#options = options;
    this.#places = places;
  }

  /** Returns the local AgentCore of a configuration file, or of the sample if it is `undefined`. */
  async of(config: string | undefined): Promise<LocalAgentCore> {
    const path = config === undefined ? await this.#writeSample() : this.readPathSetting(config);
    const known = this.#byConfig.get(path);
    if (known) return known;
    const local = new LocalAgentCore({ ...this.#options, config: path });
    this.#byConfig.set(path, local);
    return local;
  }

  readPathSetting(config: string): string {
    return resolveEntryPath(config, this.#places.folder());
  }

  dispose(): void {
    for (const local of this.#byConfig.values()) local.dispose();
  }

  /**
   * Rewrites the file after an update of the extension or VS Code, because it contains their paths.
   */
  async #writeSample(): Promise<string> {
    const { storage, sampleServer } = this.#places;
    const path = join(storage, 'sample-agentcore.json');
    const text = createSampleConfig(process.execPath, sampleServer);
    if ((await readFile(path, 'utf8').catch(() => '')) !== text) {
      await mkdir(storage, { recursive: true });
      await writeFile(path, text);
    }
    return path;
  }
}

/**
 * Starts the local AgentCore of an entry before its server and returns the variables for it.
 *
 * @returns a step that throws {@link AgentCoreError} `credentials` if the workspace controls the
 *   configuration and the user has not confirmed its commands.
 */
export function prepareLocal(
  locals: LocalAgentCores,
  consent: Pick<CommandConsent, 'require'>,
): PreparationStep {
  return async ({ name, target }) => {
    if (target.kind !== 'local') return undefined;
    const { config, runtime } = target;
    const local = await locals.of(config);
    // A running process has already read its configuration.
    if (local.pid === undefined) {
      const isOfWorkspace =
        config !== undefined && (isWorkspaceSetting(Settings.runtimes) || isWorkspacePath(config));
      local.confirmed = isOfWorkspace ? await confirmed(locals.readPathSetting(config)) : undefined;
    }
    return createLocalVariables(await local.ready(), runtime);

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
    throw new AgentCoreError('config', `Could not read ${path}: ${describeFileError(cause)}`, {
      cause,
    });
  }
}
