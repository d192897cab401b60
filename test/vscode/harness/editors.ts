import type { Page } from 'playwright-core';
import { stepMs } from './browser.ts';
import type { Driver } from './driver.ts';
import { until } from './until.ts';

/** The editor tabs and their content. */
export class Editors {
  readonly #page: Page;
  readonly #driver: Driver;

  constructor(page: Page, driver: Driver) {
    this.#page = page;
    this.#driver = driver;
  }

  /** Opens a file by its path. */
  async open(path: string): Promise<void> {
    await this.#driver.run(async ({ Uri, window }, path) => {
      await window.showTextDocument(Uri.file(path), { preview: false });
    }, path);
  }

  async titles(): Promise<readonly string[]> {
    const names = this.#page.locator('.part.editor .tab .monaco-icon-label-container');
    return await names.allTextContents();
  }

  /** Waits until the tab with this title is active. */
  async waitFor(title: string): Promise<void> {
    await this.#page.locator('.part.editor .tab.active', { hasText: title }).waitFor();
  }

  /** Waits until the active text editor contains this, and returns its whole text. */
  async waitForText(part: string): Promise<string> {
    return await until(stepMs, `"${part}" in the active editor`, async () => {
      const text = await this.#driver.run(({ window }) =>
        window.activeTextEditor?.document.getText(),
      );
      return text?.includes(part) && text;
    });
  }

  /** Closes all tabs without saving. */
  async closeAll(): Promise<void> {
    await this.#driver.run(async ({ commands }) => {
      await commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
      await commands.executeCommand('workbench.action.closeAllEditors');
    });
  }
}
