import type { Locator, Page } from 'playwright-core';
import type { Driver } from './driver.ts';
import { Elicitation } from './elicitation.ts';
import { shownText } from './shown-text.ts';

/** The chat view of VS Code, whose agent and model follow the driver's script. */
export class ChatView {
  readonly elicitation: Elicitation;
  readonly #page: Page;
  readonly #driver: Driver;
  readonly #view: Locator;
  readonly #answers: Locator;

  constructor(page: Page, driver: Driver) {
    this.#page = page;
    this.#driver = driver;
    this.#view = page.locator('[id="workbench.panel.chat"]');
    this.elicitation = new Elicitation(this.#view);
    this.#answers = this.#view.locator('.interactive-item-container.interactive-response');
  }

  /** Opens the view with an empty conversation. */
  async open(mode: 'agent' | 'ask'): Promise<void> {
    await this.#driver.run(async ({ commands, lm }, mode) => {
      // Otherwise VS Code knows no model until one is requested.
      await lm.selectChatModels({});
      await commands.executeCommand('workbench.action.chat.open', { mode });
      await commands.executeCommand('workbench.action.chat.newChat');
      await commands.executeCommand('workbench.action.chat.open', { mode });
    }, mode);
    await this.#editor.waitFor();
  }

  async send(prompt: string): Promise<void> {
    await this.#editor.click();
    await this.#page.keyboard.insertText(prompt);
    await this.#page.keyboard.press('Enter');
  }

  /** Waits until the last answer contains this text, and returns the whole answer. */
  async waitForAnswer(text: string): Promise<string> {
    const answer = this.#answers.last().filter({ hasText: text });
    return await shownText(answer);
  }

  /** The text of the pending confirmation. */
  async confirmation(): Promise<string> {
    return await shownText(this.#card);
  }

  /** Presses a button of the confirmation by its prefix: `Allow` (for the session), `Skip`. */
  async press(button: string): Promise<void> {
    await this.#card.locator('.monaco-button').getByText(button).first().click();
  }

  get #editor(): Locator {
    return this.#view.locator('.interactive-input-part .monaco-editor').first();
  }

  get #card(): Locator {
    return this.#view
      .locator('.chat-confirmation-widget-container, .chat-confirmation-widget')
      .last();
  }
}
