import type { Locator, Page } from 'playwright-core';

/** The status bar. */
export class StatusBar {
  readonly #items: Locator;

  constructor(page: Page) {
    this.#items = page.locator('.part.statusbar .statusbar-item');
  }

  /** The texts of all items that have one. */
  async texts(): Promise<readonly string[]> {
    const texts = await this.#items.allInnerTexts();
    return texts.map((text) => text.trim()).filter(Boolean);
  }

  /** Waits for an item that contains this, and returns its accessible name. */
  async waitFor(text: string): Promise<string | null> {
    return await this.#item(text).getAttribute('aria-label');
  }

  async click(text: string): Promise<void> {
    await this.#item(text).click();
  }

  #item(text: string): Locator {
    return this.#items.filter({ hasText: text }).first();
  }
}
