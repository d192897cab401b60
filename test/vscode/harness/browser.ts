import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { AgentCoreError } from '../../../src/base/errors.ts';
import { findChromium } from '../install/chromium.ts';

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The default time limit of a step in the browser, in milliseconds. */
export const stepMs = 60_000;

/** A window of a separate browser that can reach one server and no other host. */
export class BrowserWindow {
  readonly page: Page;
  readonly #browser: Browser;
  readonly #context: BrowserContext;
  readonly #trace: string | undefined;

  private constructor(
    browser: Browser,
    context: BrowserContext,
    page: Page,
    trace: string | undefined,
  ) {
    this.#browser = browser;
    this.#context = context;
    this.page = page;
    this.#trace = trace;
  }

  /**
   * @param trace The path for the Playwright trace, written on close.
   * @param visible Whether to show the window, on a machine with a screen.
   */
  static async open(
    origin: string,
    { trace, visible }: { readonly trace?: string | undefined; readonly visible: boolean },
  ): Promise<BrowserWindow> {
    const executablePath = findChromium();
    if (executablePath === undefined) {
      throw new AgentCoreError('usage', 'There is no Chromium; run `npm run test:vscode:install`');
    }
    const browser = await chromium.launch({ executablePath, args: flags, headless: !visible });
    try {
      const viewport = { width: 1400, height: 900 };
      // The README's screenshots are sharp on every screen.
      const deviceScaleFactor = process.env.SCREENSHOTS ? 2 : 1;
      const context = await browser.newContext({ viewport, deviceScaleFactor, locale: 'en-US' });
      context.setDefaultTimeout(stepMs);
      await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin });
      await context.route(
        ({ protocol, host }) => protocol.startsWith('http') && host !== new URL(origin).host,
        (route) => route.abort(),
      );
      if (trace) await context.tracing.start({ screenshots: true, snapshots: true });
      return new BrowserWindow(browser, context, await context.newPage(), trace);
    } catch (error) {
      await browser.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    try {
      if (this.#trace) {
        mkdirSync(dirname(this.#trace), { recursive: true });
        await this.#context.tracing.stop({ path: this.#trace });
      }
    } finally {
      await this.#browser.close();
    }
  }
}
