import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';

const MARKS = '¹²³⁴⁵⁶⁷⁸⁹';
const MARK = /[¹²³⁴⁵⁶⁷⁸⁹⁰]+/g;

/** The number of a superscript mark. */
function numberOf(mark: string): number {
  return Number([...mark].map((digit) => MARKS.indexOf(digit) + 1).join(''));
}

it('each cell of the table in the hosting page has an existing test', async () => {
  const page = await readFile('docs/hosting.md', 'utf8');
  const tests = await Promise.all(
    ['sample-runtimes', 'dockerfiles'].map((name) =>
      readFile(`test/examples/${name}.test.ts`, 'utf8'),
    ),
  );
  const titles = new Map<number, string>();
  for (const [, number, title = ''] of page.matchAll(/^(\d+)\. `([^`]+)`/gm)) {
    titles.set(Number(number), title);
    const written = `'${title.replaceAll('…', '%s')}'`;
    expect(
      tests.some((source) => source.includes(written)),
      `no test is named ${written}`,
    ).toBe(true);
  }
  const rows = page.split('\n').filter((line) => line.startsWith('| '));
  const used = new Set<number>();
  for (const row of rows.filter((line) => !line.startsWith('| |'))) {
    const cells = row.split('|').slice(2, -1);
    expect(cells).toHaveLength(4);
    for (const cell of cells) {
      const marks = cell.match(MARK) ?? [];
      expect(marks, `"${cell}" in ${row}`).not.toHaveLength(0);
      for (const mark of marks) used.add(numberOf(mark));
    }
  }
  expect([...used].sort((a, b) => a - b)).toEqual([...titles.keys()]);
});
