import { isDeepStrictEqual } from 'node:util';
import type { Locator, Page } from 'playwright-core';
import { stepMs } from './browser.ts';
import type { Driver } from './driver.ts';
import { until } from './until.ts';

/** The settings editor. */
export class SettingsEditor {
  readonly #page: Page;
  readonly #driver: Driver;

  constructor(page: Page, driver: Driver) {
    this.#page = page;
    this.#driver = driver;
  }

  /**
   * Opens the editor with the results for `query`. `@ext:publisher.name` finds an extension's
   * settings.
   */
  async open(query: string): Promise<void> {
    await this.#driver.run(async ({ commands }, query) => {
      await commands.executeCommand('workbench.action.openSettings2', { query });
    }, query);
    await this.#items.first().waitFor();
  }

  /**
   * The shown settings, once there are any, as `category: name`. The category is the prefix of the
   * key.
   */
  async labels(): Promise<readonly string[]> {
    await this.#items.first().waitFor();
    const titles = await this.#items.locator('.setting-item-title').allInnerTexts();
    return titles.map((title) => title.replace(/\s+/g, ' ').trim());
  }

  /** Types into a setting. VS Code applies it after a delay (see `waitFor`). */
  async typeText(label: string, text: string): Promise<void> {
    await this.#items.filter({ hasText: label }).locator('input').first().fill(text);
  }

  /** Waits until extensions read this value. */
  async waitFor(key: string, value: unknown): Promise<void> {
    await until(stepMs, `The setting ${key}`, async () => {
      const told = await this.#driver.run(
        ({ workspace }, key) => workspace.getConfiguration().get(key),
        key,
      );
      return isDeepStrictEqual(told, value);
    });
  }

  /** Closes the editor, which covers everything else, even the Command Palette. */
  async close(): Promise<void> {
    await this.#page.keyboard.press('Escape');
    await this.#items.first().waitFor({ state: 'hidden' });
  }

  /** Sets a user setting without the editor. */
  async set(key: string, value: unknown): Promise<void> {
    await this.#driver.run(
      async ({ ConfigurationTarget, workspace }, key, value) => {
        await workspace.getConfiguration().update(key, value, ConfigurationTarget.Global);
      },
      key,
      value,
    );
  }

  get #items(): Locator {
    return this.#page.locator('.settings-editor .setting-item-contents');
  }
}
