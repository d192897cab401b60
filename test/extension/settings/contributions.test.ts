import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { matchesGlob } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isPolicyFile } from '../../../src/extension/commands/policy-commands.ts';
import {
  Commands,
  Contexts,
  PROVIDER_ID,
  Settings,
  Views,
} from '../../../src/extension/settings/contributions.ts';
import { readEntry } from '../../../src/extension/settings/runtime-entry.ts';
import { validateRegion } from '../../../src/extension/setup/runtime-draft.ts';

interface Placed {
  readonly command: string;
  readonly when: string;
  readonly group?: string;
}

const source = await readFile('package.json', 'utf8');
const manifest = JSON.parse(source);
const texts: Record<string, string> = JSON.parse(await readFile('package.nls.json', 'utf8'));
const { contributes } = manifest;
const commands: { command: string; title: string; category: string }[] = contributes.commands;
const ids = commands.map(({ command }) => command);
const menus: Record<string, Placed[]> = contributes.menus;
const { commandPalette = [], ...viewMenus } = menus;
const placed = Object.values(viewMenus).flat();
const properties: Record<string, { scope: string; type: string; default: unknown }> =
  contributes.configuration.properties;
const runtime = contributes.configuration.properties['agentcore.runtimes'].items;

/** The `contextValue`s of the tree items. */
const ITEMS = [
  ...['configured;running', 'configured;stopped', 'discovered;usable', 'discovered;other'],
  ...['broken', 'sso;signedIn', 'sso;expired', 'sso;signedOut', 'profile;sso', 'identity', 'role'],
  ...['session;bills;orphaned', 'session;bills;active', 'session;bills;idle', 'session;ended'],
  ...['approval;session', 'approval;once'],
  'record',
];

describe('the contributions in package.json', () => {
  it('match the names in the extension’s code', () => {
    expect(ids.toSorted()).toEqual(Object.values(Commands).sort());
    const views = contributes.views.agentcore.map(({ id }: { id: string }) => id);
    expect(views).toEqual(Object.values(Views));
    const settings = Object.values(Settings).map((name) => `agentcore.${name}`);
    expect(Object.keys(properties)).toEqual(settings);
    expect(contributes.mcpServerDefinitionProviders).toEqual([
      { id: PROVIDER_ID, label: 'AgentCore' },
    ]);
  });

  it('have a text for every key, and no unused text', () => {
    const keys = [...source.matchAll(/"%([^"%]+)%"/g)].map(([, key]) => key as string);
    expect([...new Set(keys)].sort()).toEqual(Object.keys(texts).sort());
    expect(Object.entries(texts).filter(([, text]) => !text.trim())).toEqual([]);
  });

  it('name only existing files', () => {
    const files = [...source.matchAll(/"(?:\.\/)?((?:media|l10n|schemas)\/[^"]+)"/g)].map(
      ([, path]) => path,
    );
    expect(files.length).toBeGreaterThan(8);
    expect(files.filter((path) => !existsSync(path as string))).toEqual([]);
  });
});

describe('the policy schema', () => {
  it('applies to exactly the files that the extension treats as policies', () => {
    const { jsonValidation, yamlValidation } = contributes;
    const patterns: string[] = [...jsonValidation, ...yamlValidation].flatMap(
      ({ fileMatch }: { fileMatch: string[] }) => fileMatch,
    );
    const holds = (path: string) => patterns.some((pattern) => matchesGlob(path, `**/${pattern}`));
    for (const name of ['agentcore-policy', 'my.agentcore-policy.prod', '.agentcore/policy']) {
      for (const path of ['json', 'yaml', 'yml', 'txt'].map((end) => `/work/${name}.${end}`)) {
        expect(holds(path), path).toBe(isPolicyFile(path, [], {}));
      }
    }
    expect(holds('/work/policy.yaml')).toBe(false);
  });
});

describe('commands', () => {
  it('have one category and unique titles', () => {
    expect(new Set(commands.map(({ category }) => category))).toEqual(new Set(['AgentCore']));
    const titles = commands.map(({ title }) => texts[title.slice(1, -1)]);
    expect(new Set(titles).size).toBe(titles.length);
    expect(titles.filter((title) => !/^[A-Z]\w*( \S+)+$/.test(title ?? ''))).toEqual([]);
  });

  it('are all reachable from the Command Palette or a view', () => {
    const hidden = commandPalette.map(({ command }) => command);
    const inViews = placed.map(({ command }) => command);
    // The item itself opens its record.
    expect(hidden.filter((command) => !inViews.includes(command))).toEqual([]);
    expect(commandPalette.filter(({ when }) => when !== 'false')).toEqual([]);
    expect([...hidden, ...inViews].filter((command) => !ids.includes(command))).toEqual([]);
  });

  it('are hidden from the Command Palette if they need a tree item', () => {
    const hidden = commandPalette.map(({ command }) => command);
    const copies = ids.filter((id) => /\.copy(Arn|Record|SessionId)$|\.openRecord$/.test(id));
    expect(copies).toHaveLength(4);
    expect(copies.filter((id) => !hidden.includes(id))).toEqual([]);
  });

  it('exist for every link in a text', () => {
    const links = Object.values(texts)
      .flatMap((text) => [...text.matchAll(/\(command:([^?)]+)/g)])
      .map(([, id]) => id as string);
    const views = Object.values(Views).map((id) => `${id}.focus`);
    const others = links.filter((id) => !ids.includes(id) && !views.includes(id));
    expect(links.length - others.length).toBeGreaterThan(10);
    expect(others.filter((id) => !id.startsWith('workbench.action.'))).toEqual([]);
  });
});

describe('when clauses', () => {
  const conditions: string[] = [
    ...placed.map(({ when }) => when),
    ...contributes.viewsWelcome.map(({ when }: { when: string }) => when),
  ];

  it('use only context keys that the extension sets', () => {
    const known: string[] = ['view', 'viewItem', ...Object.values(Contexts)];
    const asked = conditions
      .flatMap((when) => when.replace(/\/[^/]*\//g, '').split(/&&|\|\|/))
      .map((term) => term.trim().replace(/^!/, '').split(' ')[0] as string);
    expect([...new Set(asked)].filter((key) => !known.includes(key))).toEqual([]);
    const completions: string[] = contributes.walkthroughs
      .flatMap(({ steps }: { steps: { completionEvents: string[] }[] }) => steps)
      .flatMap(({ completionEvents }: { completionEvents: string[] }) => completionEvents);
    const unknown = completions.filter((event) => {
      const [kind, what = ''] = event.split(':');
      if (kind === 'onCommand') return !ids.includes(what) && !what.startsWith('workbench.');
      const of = kind === 'onContext' ? Object.values(Contexts) : Object.values(Views);
      return !(of as string[]).includes(what);
    });
    expect(unknown).toEqual([]);
  });

  it('name existing views', () => {
    const views = conditions.flatMap((when) => /view == (\S+)/.exec(when)?.[1] ?? []);
    const welcome = contributes.viewsWelcome.map(({ view }: { view: string }) => view);
    const all: string[] = Object.values(Views);
    expect([...views, ...welcome].filter((view) => !all.includes(view))).toEqual([]);
    expect(new Set(welcome)).toEqual(new Set(all));
  });

  it('match at least one item, and give an item at most three inline actions', () => {
    const onItems = menus['view/item/context'] ?? [];
    const holds = (when: string, item: string) => {
      const [, pattern] = /viewItem =~ \/(.+)\/$/.exec(when) ?? [];
      return new RegExp(pattern as string).test(item);
    };
    expect(onItems.filter(({ when }) => !ITEMS.some((item) => holds(when, item)))).toEqual([]);
    for (const item of ITEMS) {
      const inline = onItems.filter(
        ({ when, group }) => group?.startsWith('inline') && holds(when, item),
      );
      expect(inline.length, item).toBeLessThanOrEqual(3);
    }
  });
});

describe('settings', () => {
  it('have a default of their type', () => {
    for (const [name, { type, default: value }] of Object.entries(properties)) {
      expect(Array.isArray(value) ? 'array' : typeof value, name).toBe(type);
    }
  });

  it('accept the same regions as the setup wizard', () => {
    const { pattern, examples } =
      contributes.configuration.properties['agentcore.discovery.regions'].items;
    const isRight = (region: string) => new RegExp(pattern).test(region);
    for (const region of [...examples, 'us-gov-west-1', 'Ireland', 'eu-west', '']) {
      expect(isRight(region), region).toBe(validateRegion(region) === undefined);
    }
  });

  it('are machine-overridable, and an untrusted workspace cannot change them', () => {
    // The same for settings of cost, because a workspace could hide running sessions.
    const { restrictedConfigurations } = manifest.capabilities.untrustedWorkspaces;
    expect(restrictedConfigurations).toEqual(Object.keys(properties));
    const scopes = Object.values(properties).map(({ scope }) => scope);
    expect(new Set(scopes)).toEqual(new Set(['machine-overridable']));
  });

  it('offer exactly the fields that the extension reads of a runtime', () => {
    const arn = 'arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/my_server-AbCdEf1234';
    const role = 'arn:aws:iam::123456789012:role/reader';
    const shared = {
      qualifier: 'DEFAULT',
      profile: 'work',
      assumeRole: {
        arn: role,
        sessionName: 'me',
        externalId: 'external',
        mfaSerial: 'arn:aws:iam::123456789012:mfa/me',
        sourceIdentity: 'me',
      },
      sessionMode: 'request',
      stopOnExit: true,
      readTimeout: 60,
      connectTimeout: 5,
      keepAlive: 10,
      retries: 0,
      policy: 'policy.yaml',
      endpointUrl: 'https://example.com',
    };
    const oauth = {
      type: 'oauth',
      clientId: 'client',
      tokenUrl: 'https://example.com/token',
      scopes: ['a'],
      audience: 'b',
    };
    const command = { type: 'tokenCommand', command: 'print-token' };
    const local = { config: 'local.yaml', runtime: 'server' };
    // Unknown fields are rejected.
    readEntry({ name: 'one', arn, ...shared, authorization: oauth });
    readEntry({ name: 'two', arn, authorization: command });
    readEntry({ name: 'three', local });

    const fields = (schema: { properties: object }) => Object.keys(schema.properties).sort();
    const offered = runtime.properties;
    expect(fields(runtime)).toEqual(
      ['name', 'arn', 'local', 'authorization', ...Object.keys(shared)].sort(),
    );
    expect(fields(offered.assumeRole)).toEqual(Object.keys(shared.assumeRole).sort());
    expect(fields(offered.local)).toEqual(Object.keys(local).sort());
    expect(fields(offered.authorization)).toEqual(
      [...new Set([...Object.keys(oauth), ...Object.keys(command)])].sort(),
    );
    expect(new RegExp(offered.arn.pattern).test(arn)).toBe(true);
    expect(new RegExp(offered.assumeRole.properties.arn.pattern).test(role)).toBe(true);
  });
});
