import type { Page } from 'playwright-core';
import type { QuickInput } from './quick-input.ts';

/** The Command Palette. */
export class Palette {
  readonly #page: Page;
  readonly #quickInput: QuickInput;

  constructor(page: Page, quickInput: QuickInput) {
    this.#page = page;
    this.#quickInput = quickInput;
  }

  /** Runs a command by its full title: `Fixture: Order Lunch`. */
  async run(title: string): Promise<void> {
    await this.#find(title);
    await this.#quickInput.pick(title);
  }

  /** The titles that are listed for a text, best match first. */
  async titles(text: string): Promise<readonly string[]> {
    await this.#find(text);
    const items = await this.#quickInput.items();
    await this.#quickInput.escape();
    await this.#quickInput.waitUntilClosed();
    return items.map(({ label }) => label);
  }

  async #find(text: string): Promise<void> {
    await this.#page.keyboard.press('F1');
    await this.#quickInput.waitFor('Type the name of a command to run.');
    await this.#quickInput.type(`>${text}`);
  }
}
