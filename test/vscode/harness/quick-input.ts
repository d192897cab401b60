import type { Locator, Page } from 'playwright-core';
import { stepMs } from './browser.ts';
import { until } from './until.ts';

export interface QuickPickItem {
  readonly label: string;
  readonly description: string;
}

/** Quick picks and input boxes, which are one widget at the top of the window. */
export class QuickInput {
  readonly #page: Page;
  readonly #widget: Locator;
  readonly #input: Locator;

  constructor(page: Page) {
    this.#page = page;
    this.#widget = page.locator('.quick-input-widget');
    this.#input = this.#widget.locator('.quick-input-box input');
  }

  /** Waits for the step with this placeholder. */
  async waitFor(placeholder: string): Promise<void> {
    await this.#input.and(this.#page.getByPlaceholder(placeholder, { exact: true })).waitFor();
  }

  /** Waits for the step whose message, such as the prompt of an input box, contains this text. */
  async waitForMessage(text: string): Promise<void> {
    await this.#widget.locator('.quick-input-message', { hasText: text }).waitFor();
  }

  /** Waits for the step with this title, and its number if it has one: `Order Lunch (1/2)`. */
  async waitForTitle(title: string): Promise<void> {
    await this.#widget.locator('.quick-input-title', { hasText: title }).waitFor();
  }

  /** Waits until the field has this value. */
  async waitForValue(text: string): Promise<void> {
    await until(stepMs, `"${text}" in the field`, async () => {
      return (await this.#input.inputValue()) === text;
    });
  }

  /** The visible items, once there are any. */
  async items(): Promise<readonly QuickPickItem[]> {
    const rows = this.#widget.locator('.quick-input-list .monaco-list-row');
    await rows.first().waitFor();
    return await rows.evaluateAll((rows) =>
      rows.map((row) => {
        const textOf = (selector: string) => row.querySelector(selector)?.textContent ?? '';
        return { label: textOf('.label-name'), description: textOf('.label-description') };
      }),
    );
  }

  /** The same, once one of them has a label that contains this text. */
  async itemsWith(text: string): Promise<readonly QuickPickItem[]> {
    await this.#widget.locator('.monaco-list-row .label-name', { hasText: text }).first().waitFor();
    return await this.items();
  }

  /** Selects the item with this label. In a multi-select list, checks or unchecks it. */
  async pick(label: string): Promise<void> {
    const name = this.#page.locator('.label-name').getByText(label, { exact: true });
    await this.#widget.locator('.monaco-list-row').filter({ has: name }).first().click();
  }

  /** Replaces the value of the field. */
  async type(text: string): Promise<void> {
    await this.#input.fill(text);
  }

  /** Presses Enter once the field is no longer marked as invalid, which is updated with a delay. */
  async accept(): Promise<void> {
    await this.#widget.locator('.quick-input-box .monaco-inputbox:not(.error)').waitFor();
    await this.#input.press('Enter');
  }

  async escape(): Promise<void> {
    await this.#input.press('Escape');
  }

  async back(): Promise<void> {
    await this.press('Back');
  }

  /** Presses a button of the title bar or the field by its tooltip. */
  async press(button: string): Promise<void> {
    await this.#widget.getByRole('button', { name: button }).click();
  }

  async waitUntilClosed(): Promise<void> {
    await this.#widget.waitFor({ state: 'hidden' });
  }
}
