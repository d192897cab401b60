import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BUNDLE, bundleText } from './localized-texts.ts';

/** Writes down what the extension says at run time, for those who translate it. */
await mkdir(dirname(BUNDLE), { recursive: true });
await writeFile(BUNDLE, await bundleText());
