import type { Locator } from 'playwright-core';

/** What a reader sees, line by line: no empty lines, and each space a common one. */
export async function shownText(element: Locator): Promise<string> {
  const text = await element.innerText();
  return text
    .split('\n')
    .map((line) => line.replace(/\s+/g, ' ').trim())
    .filter(Boolean)
    .join('\n');
}
