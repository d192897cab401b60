import type { Locator, Page } from 'playwright-core';
import { stepMs } from './browser.ts';
import { shownText } from './shown-text.ts';
import { until } from './until.ts';

const hoverMs = 2_000;

/** The toasts at the lower right. */
export class Notifications {
  readonly #toasts: Locator;

  constructor(page: Page) {
    this.#toasts = page.locator('.notifications-toasts .notification-list-item');
  }

  /** Waits for the one that holds this text, and gives all that it says. */
  async waitFor(text: string): Promise<string> {
    return await shownText(this.#toast(text).locator('.notification-list-item-message'));
  }

  /** What those that are shown say. */
  async texts(): Promise<readonly string[]> {
    return await this.#toasts.locator('.notification-list-item-message').allInnerTexts();
  }

  async buttons(text: string): Promise<readonly string[]> {
    await this.#toast(text).waitFor();
    return await this.#toast(text).locator('.monaco-button').allInnerTexts();
  }

  /** Presses a button of the one that holds this text. */
  async press(text: string, button: string): Promise<void> {
    await this.#toast(text).locator('.monaco-button').getByText(button, { exact: true }).click();
  }

  /** Closes the one that holds this text. */
  async dismiss(text: string): Promise<void> {
    const toast = this.#toast(text);
    await toast.waitFor();
    await until(stepMs, `The end of "${text}"`, async () => {
      if (!(await toast.isVisible())) return true;
      // Another one that comes or goes moves it, and with it the button away from the pointer.
      return await toast
        .hover({ timeout: hoverMs })
        .then(() => toast.locator('.codicon-notifications-clear').click({ timeout: hoverMs }))
        .then(
          () => true,
          () => false,
        );
    });
  }

  async waitUntilGone(text: string): Promise<void> {
    await this.#toast(text).waitFor({ state: 'hidden' });
  }

  #toast(text: string): Locator {
    return this.#toasts.filter({ hasText: text }).first();
  }
}
