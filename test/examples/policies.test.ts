import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readExamples } from '../../src/policy/authoring/test-runner.ts';
import { runCli } from '../fixtures/cli-process.ts';

const FOLDER = 'examples/policies';
const names = await readdir(FOLDER);
const trials = names.filter((name) => name.endsWith('.examples.yaml'));
const documents = names.filter((name) => !trials.includes(name));

describe('the example policies', () => {
  it('are valid, one of each form', async () => {
    const files = documents.map((name) => join(FOLDER, name));
    const { code, lines } = await runCli(['policy', 'check', ...files], {});
    expect(lines.filter((line) => !line.includes(': ok, '))).toEqual([]);
    expect(code).toBe(0);
    expect(documents.sort()).toEqual([
      'agentcore.yaml',
      'functions.json',
      'orders.yaml',
      'team.yaml',
    ]);
  });

  it.each(trials)('decide as %s expects', async (name) => {
    const { code, stdout } = await runCli(['policy', 'test', join(FOLDER, name)], {});
    expect(stdout).toMatch(/^(\d+) of \1 examples pass\n$/);
    expect(code).toBe(0);
  });

  it('each have examples of allowed and of denied calls', async () => {
    const tried = await Promise.all(
      trials.map(async (name) => {
        const file = join(FOLDER, name);
        const read = readExamples(await readFile(file, 'utf8'), file);
        if ('problems' in read) throw new Error(`${file} is no file of examples`);
        const expected = read.examples.map((example) => example.expect);
        expect(expected, name).toEqual(expect.arrayContaining(['allow', 'deny']));
        return read.policies;
      }),
    );
    expect(
      tried
        .flat()
        .map((path) => path.split(/[\\/]/).at(-1))
        .sort(),
    ).toEqual(documents.sort());
  });

  it('are all named in the documentation of policies', async () => {
    const page = await readFile('docs/policies.md', 'utf8');
    expect(documents.filter((name) => !page.includes(`(../${FOLDER}/${name})`))).toEqual([]);
  });
});
