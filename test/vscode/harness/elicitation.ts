import type { Locator } from 'playwright-core';
import { shownText } from './shown-text.ts';

/**
 * What an MCP server asks its user, where chat shows it: above the input, a field at a time.
 * Outside of chat it is a notification with `Respond`, which leads to the quick input.
 */
export class Elicitation {
  readonly #card: Locator;

  constructor(chat: Locator) {
    // Those that are answered stay in the conversation.
    const answered = '.chat-question-carousel-used';
    this.#card = chat.locator(`.chat-question-carousel-container:not(${answered})`);
  }

  /** The field that is asked for, once it is there, the first one below the server's message. */
  async text(): Promise<string> {
    return await shownText(this.#card.locator('.chat-question-header-row'));
  }

  /** Waits for the field with this title. */
  async waitFor(field: string): Promise<void> {
    await this.#card.locator('.chat-question-title', { hasText: field }).waitFor();
  }

  /** Fills in a field that is a text or a number. */
  async type(text: string): Promise<void> {
    await this.#card.locator('input').fill(text);
  }

  /** Chooses one of the values of a field, which goes on by itself, or submits what is the last. */
  async choose(option: string): Promise<void> {
    await this.#card.locator('[role=option]', { hasText: option }).first().click();
  }

  /** Goes on to the next field. */
  async next(): Promise<void> {
    await this.#card.getByRole('button', { name: 'Next' }).click();
  }

  async submit(): Promise<void> {
    await this.#card.getByRole('button', { name: 'Submit' }).click();
    await this.#card.waitFor({ state: 'hidden' });
  }

  /** Answers none of it. */
  async skip(): Promise<void> {
    await this.#card.getByRole('button', { name: 'Skip all questions' }).click();
    await this.#card.waitFor({ state: 'hidden' });
  }
}
