import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { BUNDLE, bundleText } from '../../scripts/localized-texts.ts';

it('all run-time texts of the extension are in the translation file; else: npm run l10n', async () => {
  expect(await readFile(BUNDLE, 'utf8')).toBe(await bundleText());
});
