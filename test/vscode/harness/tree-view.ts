import type { Locator, Page } from 'playwright-core';
import { stepMs } from './browser.ts';
import { shownText } from './shown-text.ts';
import { until } from './until.ts';

const hoverMs = 2_000;

/** Selects an item by its whole label, or by a part of it. */
type Label = string | RegExp;

/** A tree view in the side bar, or its welcome content while it is empty. */
export class TreeView {
  readonly #page: Page;
  readonly #pane: Locator;
  readonly #rows: Locator;

  constructor(page: Page, title: string) {
    this.#page = page;
    // The view's description is between its title and `Section`.
    const name = new RegExp(`^${title}\\b.* Section$`);
    const header = page.locator('.pane-header').and(page.getByLabel(name));
    this.#pane = page.locator('.part.sidebar .pane').filter({ has: header });
    this.#rows = this.#pane.locator('.monaco-list-row');
  }

  /** Expands the view. */
  async open(): Promise<void> {
    await this.setOpen(true);
    await this.#pane.locator('.pane-body').waitFor();
  }

  /** Expands or collapses the view. */
  async setOpen(isOpen: boolean): Promise<void> {
    const header = this.#pane.locator('.pane-header');
    if ((await header.getAttribute('aria-expanded')) !== String(isOpen)) await header.click();
  }

  /**
   * Waits for an item with this label, and returns all shown items, one per line: two spaces for
   * each level below the first, the label, and the description if there is one.
   */
  async items(awaited: Label): Promise<readonly string[]> {
    await this.#row(awaited).waitFor();
    return await this.#rows.evaluateAll((rows) =>
      rows.map((row) => {
        const textOf = (selector: string) => row.querySelector(selector)?.textContent ?? '';
        const indent = '  '.repeat(Number(row.getAttribute('aria-level') ?? 1) - 1);
        return `${indent}${textOf('.label-name')} ${textOf('.label-description')}`.trimEnd();
      }),
    );
  }

  /** Waits until the first item with this label has this description. */
  async waitForDescription(label: Label, description: RegExp): Promise<void> {
    await this.#row(label).locator('.label-description', { hasText: description }).waitFor();
  }

  /** Waits until there are items with this label, and no others. */
  async waitForOnly(label: Label): Promise<void> {
    await this.#row(label).waitFor();
    const name = this.#page.locator('.label-name').getByText(label, { exact: true });
    await this.#rows.filter({ hasNot: name }).first().waitFor({ state: 'detached' });
  }

  async expand(label: Label): Promise<void> {
    const row = this.#row(label);
    if ((await row.getAttribute('aria-expanded')) === 'false') {
      await row.locator('.monaco-tl-twistie').click();
    }
    await row.and(this.#page.locator('[aria-expanded=true]')).waitFor();
  }

  async click(label: Label): Promise<void> {
    await this.#row(label).click();
  }

  /** The accessible name of an item. */
  async accessibleName(label: Label): Promise<string | null> {
    return await this.#row(label).getAttribute('aria-label');
  }

  /** Presses an inline action of an item by its tooltip. */
  async runInlineAction(label: Label, action: string): Promise<void> {
    const row = this.#row(label);
    await until(stepMs, `The action "${action}"`, async () => {
      await row.hover();
      // If the view is redrawn meanwhile, the hover and the button disappear.
      return await row
        .getByRole('button', { name: action })
        .click({ timeout: hoverMs })
        .then(
          () => true,
          () => false,
        );
    });
  }

  /** Opens an item's menu and selects an entry. */
  async chooseFromMenu(label: Label, entry: string): Promise<void> {
    await this.#row(label).click({ button: 'right' });
    await this.#page.getByRole('menuitem', { name: entry, exact: true }).hover();
    // A menu ignores clicks in its first tenth of a second, to prevent accidental ones. Keys work.
    await this.#page.keyboard.press('Enter');
  }

  /** Presses an action in the view's title by its tooltip. */
  async runTitleAction(action: string): Promise<void> {
    const header = this.#pane.locator('.pane-header');
    await header.hover();
    await header.getByRole('button', { name: action }).click();
  }

  /** The welcome content, which is shown while there are no items. */
  async welcome(): Promise<string> {
    return await shownText(this.#pane.locator('.welcome-view-content'));
  }

  /** Presses a button or a link of the welcome content. */
  async pressWelcome(button: string): Promise<void> {
    await this.#pane.locator('.welcome-view-content').getByText(button, { exact: true }).click();
  }

  #row(label: Label): Locator {
    const name = this.#page.locator('.label-name').getByText(label, { exact: true });
    return this.#rows.filter({ has: name }).first();
  }
}
