import type { Locator, Page } from 'playwright-core';
import { stepMs } from './browser.ts';
import { shownText } from './shown-text.ts';
import { until } from './until.ts';

const hoverMs = 2_000;

/** The notification toasts. */
export class Notifications {
  readonly #toasts: Locator;

  constructor(page: Page) {
    this.#toasts = page.locator('.notifications-toasts .notification-list-item');
  }

  /** Waits for the notification that contains this text, and returns its whole text. */
  async waitFor(text: string): Promise<string> {
    return await shownText(this.#toast(text).locator('.notification-list-item-message'));
  }

  /** The texts of the shown notifications. */
  async texts(): Promise<readonly string[]> {
    return await this.#toasts.locator('.notification-list-item-message').allInnerTexts();
  }

  async buttons(text: string): Promise<readonly string[]> {
    await this.#toast(text).waitFor();
    return await this.#toast(text).locator('.monaco-button').allInnerTexts();
  }

  /** Presses a button of the notification that contains this text. */
  async press(text: string, button: string): Promise<void> {
    await this.#toast(text).locator('.monaco-button').getByText(button, { exact: true }).click();
  }

  /** Closes the notification that contains this text. */
  async dismiss(text: string): Promise<void> {
    const toast = this.#toast(text);
    await toast.waitFor();
    await until(stepMs, `The end of "${text}"`, async () => {
      if (!(await toast.isVisible())) return true;
      // Another notification that opens or closes moves the button away from the pointer.
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
