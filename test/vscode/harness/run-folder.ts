import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Texts by file path, relative to their target folder. */
export type Files = Readonly<Record<string, string>>;

type Settings = Readonly<Record<string, unknown>>;

/** The files for a VS Code in a test. */
export interface Disk {
  /** User settings, in addition to those that keep VS Code quiet. */
  readonly settings?: Settings;
  /** Machine settings, for settings that a workspace cannot set. */
  readonly machineSettings?: Settings;
  /** The folder that VS Code opens, `workspace` below the run's own folder. */
  readonly workspace?: Files;
  /** The home directory, for example `.aws/config`. */
  readonly home?: Files;
}

/** Disables everything that appears by itself or uses the network. */
const quiet: Settings = {
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': false,
  'extensions.ignoreRecommendations': true,
  'git.enabled': false,
  'remote.autoForwardPorts': false,
  'security.workspace.trust.banner': 'never',
  'security.workspace.trust.startupPrompt': 'never',
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'workbench.enableExperiments': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
};

/**
 * All files that one VS Code reads and writes, in one temporary folder that only its user can open.
 */
export class RunFolder {
  readonly root: string;

  constructor({ settings, machineSettings, workspace, home }: Disk) {
    // Short, and not below the checkout, because the path of a socket is limited to about 100
    // characters.
    this.root = mkdtempSync(join(tmpdir(), 'vscode-test-'));
    mkdirSync(this.extensions);
    mkdirSync(this.state);
    this.#write(this.workspace, workspace);
    this.#write(this.home, home);
    this.#write(this.data, {
      'User/settings.json': JSON.stringify({ ...quiet, ...settings }),
      'Machine/settings.json': JSON.stringify(machineSettings ?? {}),
    });
    // Otherwise code-server writes a file with a password into the home directory.
    this.#write(this.root, { 'config.yaml': 'auth: none\n' });
  }

  get data(): string {
    return join(this.root, 'data');
  }

  get extensions(): string {
    return join(this.root, 'extensions');
  }

  get workspace(): string {
    return join(this.root, 'workspace');
  }

  get home(): string {
    return join(this.root, 'home');
  }

  /** `AGENTCORE_STATE_DIR`: the journal of this run alone. */
  get state(): string {
    return join(this.root, 'state');
  }

  get config(): string {
    return join(this.root, 'config.yaml');
  }

  get driverSocket(): string {
    return join(this.root, 'driver.sock');
  }

  /** Copies the logs of VS Code and its extensions, for the analysis of a failure. */
  keepLogs(folder: string): void {
    const logs = join(this.data, 'logs');
    if (existsSync(logs)) cpSync(logs, folder, { recursive: true });
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5 });
  }

  #write(folder: string, files: Files = {}): void {
    mkdirSync(folder, { recursive: true });
    for (const [name, text] of Object.entries(files)) {
      const file = join(folder, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text, { mode: 0o600 });
    }
  }
}
