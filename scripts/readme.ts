import { readFile, writeFile } from 'node:fs/promises';
import { withLinks } from './install-link.ts';

/** Sets the README's links to what the manifest says: of a new version, before it is tagged. */
const { publisher, name, version } = JSON.parse(await readFile('package.json', 'utf8'));
const page = await readFile('README.md', 'utf8');
await writeFile('README.md', withLinks(page, version, `${publisher}.${name}`));
