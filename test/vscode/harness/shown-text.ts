import type { Locator } from 'playwright-core';

/** The visible text, line by line, without empty lines and with normal spaces. */
export async function shownText(element: Locator): Promise<string> {
  const text = await element.innerText();
  return text
    .split('\n')
    .map((line) => line.replace(/\s+/g, ' ').trim())
    .filter(Boolean)
    .join('\n');
}
