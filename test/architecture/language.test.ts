import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { getTopFolder, readSourceTree } from './source-tree.ts';

/** Words that make a comment hard to read. `ifOrWhen` is the plain way to write a condition. */
const PATTERNS = {
  whatIs: /\bwhat (?:is|was|the)\b/gi,
  wherePlace: /\bwhere (?:it|there|that|a|an|one|none|some|no|nothing|something)\b/gi,
  somebody: /\b(?:no|some|any)body\b|\bwho(?:m)?ever\b/gi,
  speech: /\b(?:say|says|said|tell|tells|told|hear|hears|heard)\b/gi,
  thatOrWhich: /\b(?:that|which)\b/gi,
  ifOrWhen: /\b(?:if|when)\b/gi,
} as const;

type Rates = Readonly<Record<keyof typeof PATTERNS, number>>;

/** Functions are named by a verb, bounds by MAX, MIN and a unit. */
const ODD_NAME =
  /(?:Words|Verdict|[a-z]Of)$|^#?(?:MOST|LONGEST|LARGEST|DEEPEST|SHORTEST|OLDEST|PATIENCE|SETTLE|LOOK_EVERY)(?:_|$)|_(?:WITHIN|PAUSE|GRACE)$/;

/** The figures of today. Each may only improve; change the file in the commit that improves it. */
interface Limits {
  /** Share of files under 50 lines. May only fall. */
  readonly smallFiles: number;
  /** Minimum share of lines in files over 300 lines. */
  readonly linesInLargeFiles: number;
  /** Lines of the largest file. */
  readonly largestFile: number;
  readonly oddNames: number;
  /** For each 1,000 words in comments, by top folder. May only fall; `ifOrWhen` is a minimum. */
  readonly comments: Readonly<Record<string, Rates>>;
}

const limits = JSON.parse(readFileSync(join(import.meta.dirname, 'limits.json'), 'utf8')) as Limits;
const files = readSourceTree();

it('keeps files neither too small nor too large', () => {
  const countLines = (some: typeof files) => some.reduce((sum, { lines }) => sum + lines, 0);
  const small = files.filter(({ lines }) => lines < 50);
  const large = files.filter(({ lines }) => lines > 300);
  expect(small.length / files.length).toBeLessThanOrEqual(limits.smallFiles);
  expect(countLines(large) / countLines(files)).toBeGreaterThanOrEqual(limits.linesInLargeFiles);
  expect(Math.max(...files.map(({ lines }) => lines))).toBeLessThanOrEqual(limits.largestFile);
});

it('names functions by a verb, and bounds by MAX, MIN and a unit', () => {
  const odd = files.flatMap(({ path, text }) =>
    findDeclaredNames(text)
      .filter((name) => ODD_NAME.test(name))
      .map((name) => `${path}: ${name}`),
  );
  expect(odd.length, odd.join('\n')).toBeLessThanOrEqual(limits.oddNames);
});

const folders = [...new Set(files.map(({ path }) => getTopFolder(path)))];
it.each(folders)('writes the comments of src/%s in plain English', (folder) => {
  const rates = measureComments(folder);
  const limit = limits.comments[folder];
  if (!limit) throw new Error(`test/architecture/limits.json has no figures for src/${folder}`);
  const { ifOrWhen, ...odd } = rates;
  for (const [name, rate] of Object.entries(odd)) {
    expect(rate, name).toBeLessThanOrEqual(limit[name as keyof Rates]);
  }
  expect(ifOrWhen, 'ifOrWhen').toBeGreaterThanOrEqual(limit.ifOrWhen);
});

function measureComments(folder: string): Rates {
  const comments = files
    .filter(({ path }) => getTopFolder(path) === folder)
    .map(({ text }) => findComments(text))
    .join('\n');
  const words = comments.match(/[A-Za-z][\w'-]*/g)?.length ?? 0;
  const measure = (pattern: RegExp) =>
    Math.round(((comments.match(pattern)?.length ?? 0) / Math.max(words, 1)) * 10_000) / 10;
  return {
    whatIs: measure(PATTERNS.whatIs),
    wherePlace: measure(PATTERNS.wherePlace),
    somebody: measure(PATTERNS.somebody),
    speech: measure(PATTERNS.speech),
    thatOrWhich: measure(PATTERNS.thatOrWhich),
    ifOrWhen: measure(PATTERNS.ifOrWhen),
  };
}

/** The text of all comments, without the comment signs. */
function findComments(text: string): string {
  const comments = text.matchAll(/(?:^|\s)\/\*([\s\S]*?)\*\/|(?:^|\s)\/\/ ([^\n]*)/gm);
  return Array.from(comments, ([, block, line]) =>
    (block ?? line ?? '').replace(/^\s*\* ?/gm, ' '),
  ).join('\n');
}

/** Names of declared functions, methods, constants, types and classes. */
function findDeclaredNames(text: string): readonly string[] {
  const declarations = text.matchAll(
    /(?:^|\n)\s*(?:export )?(?:async )?(?:function\*?|const|let|class|interface|type) (\w+)|(?:^|\n) {2}(?:(?:static|async|readonly|private|get) )*(#?\w+)(?:<[^>\n]*>)?\([^\n]*\{\n/g,
  );
  return Array.from(declarations, ([, name, method]) => name ?? method ?? '').filter(
    (name) => !/^(?:if|for|while|switch|catch|constructor)$/.test(name),
  );
}
