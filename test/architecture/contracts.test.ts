/**
 * The contracts with users and their scripts: help texts, variables, settings, commands and fields
 * of records. A changed snapshot is a changed contract, and needs a CHANGELOG line.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { readSourceTree } from './source-tree.ts';

const CLI = join(import.meta.dirname, '../../dist/cli.js');
const run = promisify(execFile);

async function readHelp(...verb: readonly string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [CLI, ...verb, '--help'], {
    env: { ...process.env, COLUMNS: '80', NO_COLOR: '1' },
  });
  return stdout;
}

/** The names of the commands in a help text. */
function findVerbs(help: string): readonly string[] {
  const [, list = ''] = /\nCommands:\n([\s\S]*?)(?:\n\n|$)/.exec(help) ?? [];
  return Array.from(list.matchAll(/^ {2}([a-z][\w-]*)/gm), ([, verb = '']) => verb).filter(
    (verb) => verb !== 'help',
  );
}

it('keeps the commands and options of the command line', async () => {
  const texts = [await readHelp()];
  for (const verb of findVerbs(texts[0] as string)) {
    const help = await readHelp(verb);
    texts.push(help);
    for (const part of findVerbs(help)) texts.push(await readHelp(verb, part));
  }
  expect(texts.length).toBeGreaterThan(15);
  await expect(texts.join(`\n${'-'.repeat(80)}\n`)).toMatchFileSnapshot('contracts/help.txt');
});

it('keeps the names of environment variables', async () => {
  const texts = readSourceTree().map(({ text }) => text);
  const names = new Set<string>();
  const variable =
    /\b(?:AGENTCORE|AGENT|AWS|MCP|RUNTIME_SESSION|SERVER|LOG|NODE|OTEL|LANGFUSE)_[A-Z][A-Z0-9_]*[A-Z0-9]\b/g;
  for (const text of texts) for (const [name] of text.matchAll(variable)) names.add(name);
  // A constant is declared. An environment variable is only read.
  const constants = texts.flatMap((text) =>
    Array.from(text.matchAll(/\b(?:const|readonly) ([A-Z_0-9]+)\b/g), ([, name = '']) => name),
  );
  for (const name of constants) names.delete(name);
  await expect(`${[...names].sort().join('\n')}\n`).toMatchFileSnapshot('contracts/variables.txt');
});

it('keeps the contributions of the extension', async () => {
  const {
    commands,
    configuration,
    views,
    walkthroughs,
    mcpServerDefinitionProviders,
    viewsContainers,
  } = packageJson.contributes;
  const contract = {
    commands: commands.map(({ command }) => command),
    settings: configuration.properties,
    views,
    viewsContainers,
    mcpServerDefinitionProviders,
    walkthroughs: walkthroughs.map(({ id, steps }) => ({
      id,
      steps: steps.map((step) => step.id),
    })),
    publisher: packageJson.publisher,
    name: packageJson.name,
    bin: packageJson.bin,
  };
  await expect(`${JSON.stringify(contract, undefined, 2)}\n`).toMatchFileSnapshot(
    'contracts/extension.json',
  );
});

it('keeps the fields of journal and audit records', async () => {
  const texts = readSourceTree()
    .filter(({ path }) => /(?:^|\/)(?:audit-)?records\.ts$/.test(path))
    .flatMap(({ text }) => readInterfaces(text))
    .sort();
  expect(texts.length).toBeGreaterThan(10);
  await expect(`${texts.join('\n\n')}\n`).toMatchFileSnapshot('contracts/records.txt');
});

/** The members of each interface with their types, without comments. */
function readInterfaces(text: string): string[] {
  const interfaces = text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .matchAll(/interface \w+[^{]*\{([\s\S]*?)\n\}/g);
  return Array.from(interfaces, ([, body = '']) =>
    body
      .replace(/^\s*\n/gm, '')
      .replace(/^ +readonly /gm, '')
      .trim(),
  );
}
