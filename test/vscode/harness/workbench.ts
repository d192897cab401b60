import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { layout } from '../install/layout.ts';
import { ChatView } from './chat-view.ts';
import { Dialog } from './dialog.ts';
import type { Driver } from './driver.ts';
import { Editors } from './editors.ts';
import { Notifications } from './notifications.ts';
import { OutputPanel } from './output-panel.ts';
import { Palette } from './palette.ts';
import { QuickInput } from './quick-input.ts';
import { SettingsEditor } from './settings-editor.ts';
import { StatusBar } from './status-bar.ts';
import { TreeView } from './tree-view.ts';

const loadMs = 180_000;

/** The user interface for a test. Elements are found by their visible text. */
export class Workbench {
  readonly page: Page;
  readonly quickInput: QuickInput;
  readonly palette: Palette;
  readonly notifications: Notifications;
  readonly dialog: Dialog;
  readonly statusBar: StatusBar;
  readonly output: OutputPanel;
  readonly editors: Editors;
  readonly settings: SettingsEditor;
  readonly chat: ChatView;

  constructor(page: Page, driver: Driver) {
    this.page = page;
    this.quickInput = new QuickInput(page);
    this.palette = new Palette(page, this.quickInput);
    this.notifications = new Notifications(page);
    this.dialog = new Dialog(page);
    this.statusBar = new StatusBar(page);
    this.output = new OutputPanel(this.palette, this.quickInput, driver);
    this.editors = new Editors(page, driver);
    this.settings = new SettingsEditor(page, driver);
    this.chat = new ChatView(page, driver);
  }

  async ready(): Promise<void> {
    const parts = ['.part.activitybar', '.part.sidebar', '.part.statusbar'];
    for (const part of parts) {
      await this.page.locator(`.monaco-workbench ${part}`).waitFor({ timeout: loadMs });
    }
  }

  /** Runs a command from the Command Palette by its full title: `Fixture: Order Lunch`. */
  async runCommand(title: string): Promise<void> {
    await this.palette.run(title);
  }

  /** Opens a view container by the name of its icon in the activity bar. */
  async openContainer(title: string): Promise<void> {
    const tab = this.page.locator('.part.activitybar').getByRole('tab', { name: title });
    // A second click would close the open container.
    if ((await tab.getAttribute('aria-expanded')) !== 'true') await tab.click();
    await this.page.locator('.part.sidebar .composite.title', { hasText: title }).waitFor();
  }

  /** A view of the open container. */
  view(title: string): TreeView {
    return new TreeView(this.page, title);
  }

  /** Ends Restricted Mode for the open folder. */
  async trustWorkspace(): Promise<void> {
    await this.runCommand('Workspaces: Manage Workspace Trust');
    const editor = this.page.locator('.workspace-trust-editor');
    await editor.getByRole('button', { name: 'Trust', exact: true }).click();
    await editor.getByText('You trust this folder').waitFor();
  }

  /** The document of the shown webview. */
  get webview(): Locator {
    return this.page
      .frameLocator('iframe.webview.ready')
      .frameLocator('iframe#active-frame')
      .locator('body');
  }

  /**
   * Writes a screenshot of the window, or of a part of it, and returns its path:
   * `.vscode-test/screenshots/{name}.png`.
   */
  async screenshot(
    name: string,
    folder: string = layout.screenshots,
    clip?: {
      readonly x: number;
      readonly y: number;
      readonly width: number;
      readonly height: number;
    },
  ): Promise<string> {
    mkdirSync(folder, { recursive: true });
    const path = join(folder, `${name.replace(/[^\w.-]+/g, '-')}.png`);
    await this.page.screenshot({ path, animations: 'disabled', ...(clip && { clip }) });
    return path;
  }
}
