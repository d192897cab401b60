import { fileURLToPath } from 'node:url';
import type { VsCode } from '../harness/vs-code.ts';

const folder = fileURLToPath(new URL('../../../media/screenshots', import.meta.url));
const SIZE = { width: 1280, height: 800 };

/** Takes a picture for the README, where `npm run screenshots` asks for them; else does nothing. */
export async function picture({ workbench, driver }: VsCode, name: string): Promise<void> {
  if (!process.env.SCREENSHOTS) return;
  const { page } = workbench;
  const before = page.viewportSize();
  await page.setViewportSize(SIZE);
  // What came by itself, and the hints of whatever the mouse was on, are not the subject.
  await driver.run(({ commands }) => commands.executeCommand('notifications.hideToasts'));
  await page.mouse.move(SIZE.width / 2, SIZE.height - 1);
  await page.locator('.monaco-hover:visible').first().waitFor({ state: 'hidden' });
  await workbench.screenshot(name, folder);
  if (before) await page.setViewportSize(before);
}
