import type { Locator } from 'playwright-core';
import { shownText } from './shown-text.ts';

/**
 * An elicitation request in the chat view: above the input, one field at a time. Outside chat it is
 * a notification with `Respond`, which opens the quick input.
 */
export class Elicitation {
  readonly #card: Locator;

  constructor(chat: Locator) {
    // Answered requests stay in the conversation.
    const answered = '.chat-question-carousel-used';
    this.#card = chat.locator(`.chat-question-carousel-container:not(${answered})`);
  }

  /** The field that is shown, once it exists. The first one is below the server's message. */
  async text(): Promise<string> {
    return await shownText(this.#card.locator('.chat-question-header-row'));
  }

  /** Waits for the field with this title. */
  async waitFor(field: string): Promise<void> {
    await this.#card.locator('.chat-question-title', { hasText: field }).waitFor();
  }

  /** Fills in a text or number field. */
  async type(text: string): Promise<void> {
    await this.#card.locator('input').fill(text);
  }

  /** Selects a value of a field, which continues with the next field, or submits the last one. */
  async choose(option: string): Promise<void> {
    await this.#card.locator('[role=option]', { hasText: option }).first().click();
  }

  /** Continues with the next field. */
  async next(): Promise<void> {
    await this.#card.getByRole('button', { name: 'Next' }).click();
  }

  async submit(): Promise<void> {
    await this.#card.getByRole('button', { name: 'Submit' }).click();
    await this.#card.waitFor({ state: 'hidden' });
  }

  /** Skips the whole request. */
  async skip(): Promise<void> {
    await this.#card.getByRole('button', { name: 'Skip all questions' }).click();
    await this.#card.waitFor({ state: 'hidden' });
  }
}
