import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { layout } from '../install/layout.ts';
import { BrowserWindow } from './browser.ts';
import { CodeServer, installVsix } from './code-server.ts';
import { Driver } from './driver.ts';
import { bundleInto, driverExtension, type TestExtension } from './extension-bundle.ts';
import { type Disk, RunFolder } from './run-folder.ts';
import { Workbench } from './workbench.ts';

const proposedApi = ['agentcore-mcp-test.driver'];

export interface VsCodeOptions extends Disk {
  /** Test extensions in addition to the driver. */
  readonly extensions?: readonly TestExtension[];
  /** Packaged extensions. */
  readonly vsix?: readonly string[];
  /**
   * Whether it starts in Restricted Mode until the folder is trusted. Default: no Restricted Mode.
   */
  readonly workspaceTrust?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** The name of the trace, if one is written: `VSCODE_TRACE=1`. */
  readonly name?: string;
}

/** A VS Code and a browser that shows it. The test acts in the browser and queries VS Code. */
export class VsCode {
  readonly folder: RunFolder;
  readonly driver: Driver;
  readonly workbench: Workbench;
  readonly #url: string;
  readonly #page: Page;
  readonly #endings: Endings;

  private constructor(folder: RunFolder, url: string, page: Page, endings: Endings) {
    this.folder = folder;
    this.driver = new Driver(folder.driverSocket);
    this.workbench = new Workbench(page, this.driver);
    this.#url = url;
    this.#page = page;
    this.#endings = endings;
  }

  /** Resolves once the workbench is shown and its extension host responds. */
  static async start(options: VsCodeOptions = {}): Promise<VsCode> {
    const endings = new Endings();
    try {
      const folder = new RunFolder(options);
      endings.add(() => folder.remove());
      for (const extension of [driverExtension, ...(options.extensions ?? [])]) {
        await bundleInto(folder.extensions, extension);
      }
      for (const vsix of options.vsix ?? []) await installVsix(folder, vsix);
      const { workspaceTrust = false, env = {} } = options;
      const server = await CodeServer.start(folder, { workspaceTrust, proposedApi, env });
      endings.add(() => server.stop());
      const { VSCODE_TRACE: traced, VSCODE_VISIBLE: visible } = process.env;
      const window = await BrowserWindow.open(server.url, {
        trace: traced ? join(layout.root, 'traces', `${options.name ?? 'vscode'}.zip`) : undefined,
        visible: Boolean(visible),
      });
      endings.add(() => window.close());
      const vsCode = new VsCode(folder, server.url, window.page, endings);
      await vsCode.load();
      return vsCode;
    } catch (error) {
      await endings.run();
      throw error;
    }
  }

  /** Loads or reloads the window. Stored data stays, and the extension host is a new one. */
  async load(): Promise<void> {
    // Waits for the visible workbench, not for the load event of all files.
    await this.#page.goto(`${this.#url}/?folder=${encodeURI(this.folder.workspace)}`, {
      waitUntil: 'commit',
    });
    await this.workbench.ready();
    await this.driver.ready();
  }

  /** Stops all parts, in any state. */
  async stop(): Promise<void> {
    await this.#endings.run();
  }
}

/** Cleanup functions, run in reverse order, even if another one fails. */
class Endings {
  readonly #endings: (() => unknown)[] = [];

  add(ending: () => unknown): void {
    this.#endings.unshift(ending);
  }

  async run(): Promise<void> {
    const failures: unknown[] = [];
    for (const end of this.#endings.splice(0)) {
      try {
        await end();
      } catch (failure) {
        failures.push(failure);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'VS Code did not end in order');
  }
}
