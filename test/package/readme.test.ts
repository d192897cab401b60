import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { installLink, withLinks } from '../../scripts/install-link.ts';

const readme = await readFile('README.md', 'utf8');
const manifest = JSON.parse(await readFile('package.json', 'utf8'));
const texts: Record<string, string> = JSON.parse(await readFile('package.nls.json', 'utf8'));

describe('the README', () => {
  it('has the links of this version; else: npm run readme', () => {
    const { publisher, name, version } = manifest;
    expect(withLinks(readme, version, `${publisher}.${name}`)).toBe(readme);
    expect(readme).toContain(installLink(version));
    expect(readme).toContain('https://vscode.dev/redirect?url=vscode%3Aextension%2F');
  });

  it('lists exactly the existing settings', () => {
    const settings = Object.keys(manifest.contributes.configuration.properties);
    expect(firstColumn('Settings').map((cell) => cell.replaceAll('`', ''))).toEqual(settings);
  });

  it('lists exactly the commands of the Command Palette', () => {
    const { commands, menus } = manifest.contributes;
    const hidden = menus.commandPalette.map(({ command }: { command: string }) => command);
    const titles = commands
      .filter(({ command }: { command: string }) => !hidden.includes(command))
      .map(({ title }: { title: string }) => texts[title.slice(1, -1)]);
    const listed = firstColumn('Commands').flatMap((cell) => cell.split(', '));
    expect(listed.sort()).toEqual(titles.sort());
  });

  it('lists every view', () => {
    const views = manifest.contributes.views.agentcore;
    const names = views.map(({ name }: { name: string }) => texts[name.slice(1, -1)]);
    expect(firstColumn('Views')).toEqual(names);
  });

  it('names the oldest supported VS Code version', () => {
    const [, oldest] = /\^(\d+\.\d+)\./.exec(manifest.engines.vscode) ?? [];
    expect(readme).toContain(`VS Code ${oldest} or newer`);
  });
});

describe('the link that installs the proxy alone', () => {
  it('contains a server for mcp.json that prompts for the ARN and the profile', () => {
    const link = new URL(installLink('1.2.3')).searchParams.get('url') ?? '';
    const [scheme, json] = link.split('?');
    const { inputs, ...server } = JSON.parse(decodeURIComponent(json ?? ''));
    expect(scheme).toBe('vscode:mcp/install');
    expect(server.args).toEqual(['-y', 'agentcore-mcp@1.2.3', 'proxy']);
    const asked = Object.values<string>(server.env).map((value) =>
      /^\$\{input:(.+)\}$/.exec(value),
    );
    expect(asked.map((match) => match?.[1])).toEqual(inputs.map(({ id }: { id: string }) => id));
  });
});

/** The first column of the table below a heading. */
function firstColumn(heading: string): string[] {
  const [, section = ''] = readme.split(`### ${heading}\n`);
  const [table = ''] = section.split('\n#');
  const rows = table.split('\n').filter((line) => line.startsWith('| '));
  return rows.slice(1).map((row) => row.split('|')[1]?.trim() ?? '');
}
