import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { BUNDLE, bundleText } from '../../scripts/localized-texts.ts';

it('all that the extension says at run time is there for translators; else: npm run l10n', async () => {
  expect(await readFile(BUNDLE, 'utf8')).toBe(await bundleText());
});
