import { glob, readFile } from 'node:fs/promises';
import { getL10nJson } from '@vscode/l10n-dev';

/** Where VS Code and translators look for the texts; `package.json` names its folder. */
export const BUNDLE = 'l10n/bundle.l10n.json';

/** The texts of all `vscode.l10n.t(…)` of the extension, in the order of the alphabet. */
export async function bundleText(): Promise<string> {
  const scripts = [];
  for await (const path of glob('src/extension/**/*.ts')) {
    scripts.push({ contents: await readFile(path, 'utf8'), extension: '.ts' });
  }
  const texts = await getL10nJson(scripts);
  const sorted = Object.entries(texts).sort(([one], [other]) => (one < other ? -1 : 1));
  return `${JSON.stringify(Object.fromEntries(sorted), undefined, 2)}\n`;
}
