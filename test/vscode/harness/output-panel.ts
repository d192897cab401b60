import { stepMs } from './browser.ts';
import type { Driver } from './driver.ts';
import type { Palette } from './palette.ts';
import type { QuickInput } from './quick-input.ts';
import { until } from './until.ts';

/** The output channels of extensions and of VS Code itself, such as those of MCP servers. */
export class OutputPanel {
  readonly #palette: Palette;
  readonly #quickInput: QuickInput;
  readonly #driver: Driver;

  constructor(palette: Palette, quickInput: QuickInput, driver: Driver) {
    this.#palette = palette;
    this.#quickInput = quickInput;
    this.#driver = driver;
  }

  /** Shows a channel by its name in the list. */
  async show(channel: string): Promise<void> {
    await this.#palette.run('Output: Show Output Channels...');
    await this.#quickInput.waitFor('Select Output Channel');
    await this.#quickInput.type(channel);
    await this.#quickInput.pick(channel);
    await this.#quickInput.waitUntilClosed();
  }

  /** Shows the output channel of an MCP server, which is not in that list. */
  async showMcpServer(label: string): Promise<void> {
    await this.#palette.run('MCP: List Servers');
    await this.#quickInput.pick(label);
    await this.#quickInput.pick('Show Output');
    await this.#quickInput.waitUntilClosed();
  }

  /** Waits for a text in the shown channel, and returns the whole content. */
  async waitFor(text: string): Promise<string> {
    return await until(stepMs, `"${text}" in the output`, async () => {
      const shown = await this.#text();
      return shown?.includes(text) && shown;
    });
  }

  /** The whole text. The page contains only the visible lines. */
  async #text(): Promise<string | undefined> {
    return await this.#driver.run(({ window }) =>
      window.visibleTextEditors
        .find(({ document }) => document.uri.scheme === 'output')
        ?.document.getText(),
    );
  }
}
