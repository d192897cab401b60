import type { Locator, Page } from 'playwright-core';
import { shownText } from './shown-text.ts';

/** The modal dialog. */
export class Dialog {
  readonly #box: Locator;

  constructor(page: Page) {
    this.#box = page.locator('.monaco-dialog-box');
  }

  /** Its whole text, once it is shown. */
  async text(): Promise<string> {
    return await shownText(this.#box.locator('.dialog-message-container'));
  }

  async buttons(): Promise<readonly string[]> {
    await this.#box.waitFor();
    return await this.#box.locator('.dialog-buttons .monaco-button').allInnerTexts();
  }

  /** Presses a button and waits until the dialog is closed. */
  async choose(button: string): Promise<void> {
    const buttons = this.#box.locator('.dialog-buttons .monaco-button');
    await buttons.getByText(button, { exact: true }).click();
    await this.#box.waitFor({ state: 'hidden' });
  }
}
