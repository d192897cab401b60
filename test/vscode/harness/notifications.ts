import type { Locator, Page } from 'playwright-core';
import { stepMs } from './browser.ts';
import { shownText } from './shown-text.ts';
import { until } from './until.ts';

const hoverMs = 2_000;
const clickMs = 5_000;

/** Time for a toast to appear. VS Code hides most toasts after 10 to 15 seconds. */
const toastMs = 10_000;

/** The notification toasts. A hidden one is still in the notification center. */
export class Notifications {
  readonly #toasts: Locator;
  readonly #center: Locator;
  readonly #bell: Locator;

  constructor(page: Page) {
    this.#toasts = page.locator('.notifications-toasts .notification-list-item');
    this.#center = page.locator('.notifications-center.visible');
    this.#bell = page.locator('.part.statusbar [id="status.notifications"] a');
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

  /**
   * Presses a button of the notification that contains this text. On a busy machine, the toast may
   * be hidden before the click, so this also looks in the notification center.
   */
  async press(text: string, button: string): Promise<void> {
    const inCenter = this.#center.locator('.notification-list-item', { hasText: text }).first();
    await until(stepMs, `The button "${button}" of "${text}"`, async () => {
      if (await succeeds(this.#toast(text).waitFor({ timeout: toastMs }))) {
        return await succeeds(clickButton(this.#toast(text), button));
      }
      await this.#toggleCenter(true);
      return await succeeds(clickButton(inCenter, button));
    });
    // An open center hides all further toasts.
    await this.#toggleCenter(false);
  }

  /** Closes the notification that contains this text. */
  async dismiss(text: string): Promise<void> {
    const toast = this.#toast(text);
    await toast.waitFor();
    await until(stepMs, `The end of "${text}"`, async () => {
      if (!(await toast.isVisible())) return true;
      // Another notification that opens or closes moves the button away from the pointer.
      return await succeeds(
        toast
          .hover({ timeout: hoverMs })
          .then(() => toast.locator('.codicon-notifications-clear').click({ timeout: hoverMs })),
      );
    });
  }

  async waitUntilGone(text: string): Promise<void> {
    await this.#toast(text).waitFor({ state: 'hidden' });
  }

  async #toggleCenter(isVisible: boolean): Promise<void> {
    if ((await this.#center.isVisible()) !== isVisible) await this.#bell.click();
  }

  #toast(text: string): Locator {
    return this.#toasts.filter({ hasText: text }).first();
  }
}

function clickButton(notification: Locator, button: string): Promise<void> {
  const target = notification.locator('.monaco-button').getByText(button, { exact: true });
  return target.click({ timeout: clickMs });
}

function succeeds(work: Promise<void>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}
