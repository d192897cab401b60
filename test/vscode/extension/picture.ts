import { copyFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { stepMs } from '../harness/browser.ts';
import { until } from '../harness/until.ts';
import type { VsCode } from '../harness/vs-code.ts';

const folder = fileURLToPath(new URL('../../../media/screenshots', import.meta.url));
const VIEWS = ['Runtimes', 'Credentials', 'Sessions', 'Replay Log'];
/** The width of the side bar, so that no description is cut off. */
const WIDE = 700;
const NEAR = 10;

/** The content of a screenshot. */
interface Subject {
  readonly width: number;
  readonly height: number;
  /** The open views. If set, the screenshot shows only the side bar, which is wide. */
  readonly views?: readonly string[];
  /** A file of this repository in the editor. */
  readonly file?: string;
}

/** Takes a screenshot for the README if `npm run screenshots` runs. Otherwise does nothing. */
export async function picture(vsCode: VsCode, name: string, subject: Subject): Promise<void> {
  if (!process.env.SCREENSHOTS) return;
  const { workbench, driver } = vsCode;
  const { page } = workbench;
  const { views, file, width, height } = subject;
  const run = (command: string) =>
    driver.run(({ commands }, id) => commands.executeCommand(id), command);
  const before = page.viewportSize();
  // Hides notifications and hovers, which are not part of the subject.
  await page.mouse.move(width - 1, height - 1);
  await page.setViewportSize({ width, height });
  await page.locator('.statusbar-item .codicon-loading').first().waitFor({ state: 'hidden' });
  if (file !== undefined) await open(vsCode, file);
  if (views) {
    await run('workbench.action.closeAuxiliaryBar');
    for (const view of VIEWS) await workbench.view(view).setOpen(views.includes(view));
  }
  const right = views && (await sideBar(page)).right;
  if (right !== undefined) await drag(page, WIDE, height / 2);
  await run('notifications.clearAll');
  await page.mouse.move(width - 1, height - 1);
  await page.locator('.monaco-hover:visible').first().waitFor({ state: 'hidden' });
  await page.locator('.scrollbar.visible:not(.fade)').first().waitFor({ state: 'hidden' });
  await workbench.screenshot(name, folder, views && (await sideBar(page)).clip);
  if (right !== undefined) {
    await drag(page, right, height / 2);
    for (const view of VIEWS) await workbench.view(view).setOpen(true);
  }
  if (file !== undefined) await workbench.editors.closeAll();
  if (before) await page.setViewportSize(before);
}

async function open({ driver, folder: { workspace } }: VsCode, file: string): Promise<void> {
  const path = join(workspace, basename(file));
  copyFileSync(file, path);
  await driver.run(async ({ window, Uri }, path) => {
    await window.showTextDocument(Uri.file(path), { preserveFocus: true });
  }, path);
}

/** The side bar and the activity bar. */
async function sideBar(page: Page) {
  const box = await page.locator('.part.sidebar').boundingBox();
  const { x, y, width, height } = box ?? { x: 0, y: 0, width: 0, height: 0 };
  return { right: x + width, clip: { x: 0, y, width: x + width + 4, height } };
}

/** Drags the edge of the side bar, which moves while the window is laid out. */
async function drag(page: Page, to: number, y: number): Promise<void> {
  await until(stepMs, 'The width of the side bar', async () => {
    const { right } = await sideBar(page);
    if (Math.abs(right - to) < NEAR) return true;
    await page.mouse.move(await sashNear(page, right), y);
    await page.mouse.down();
    await page.mouse.move(to, y, { steps: 5 });
    await page.mouse.up();
    return false;
  });
}

/** The position of a draggable edge, in the gap between two parts. */
async function sashNear(page: Page, x: number): Promise<number> {
  const places = await page.locator('.monaco-sash.vertical:not(.disabled)').evaluateAll((sashes) =>
    sashes.map((sash) => {
      const { left, width } = sash.getBoundingClientRect();
      return left + width / 2;
    }),
  );
  return places.reduce(
    (near, one) => (Math.abs(one - x) < Math.abs(near - x) ? one : near),
    x + NEAR * 2,
  );
}
