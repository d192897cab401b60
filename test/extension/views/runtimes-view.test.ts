import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { getProblemRemedies } from '../../../src/extension/commands/runtime-commands.ts';
import { DiscoveryModel } from '../../../src/extension/models/discovery-model.ts';
import { IdentitiesModel } from '../../../src/extension/models/identities-model.ts';
import type { RuntimeNode } from '../../../src/extension/models/tree-nodes.ts';
import { readEntries } from '../../../src/extension/settings/runtime-entry.ts';
import type { RuntimeStore } from '../../../src/extension/settings/runtime-store.ts';
import { RuntimesView } from '../../../src/extension/views/runtimes-view.ts';
import { accessKey, CredentialHome, keys } from '../../aws/credentials/credential-fixtures.ts';
import { httpAgent, start, statelessMcp } from '../../local/harness.ts';
import { journalOfServers } from '../servers/journal-of-servers.ts';
import { EventEmitter, workspace } from '../vscode-stub.ts';

const USER = accessKey('user');
const ARN = 'arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/weather-Ab12Cd34Ef';

async function setUp(entries: readonly object[], env: Record<string, string> = {}) {
  const home = await CredentialHome.make({ credentials: keys('work', USER) });
  const journal = await journalOfServers();
  const all = { ...home.env, ...env };
  const changed = new EventEmitter<void>();
  const identities = new IdentitiesModel(() => all);
  const discoveries = new DiscoveryModel(() => all);
  const store = { ...readEntries(entries), onDidChange: changed.event };
  const view = new RuntimesView({
    store: store as unknown as RuntimeStore,
    running: journal.running,
    discoveries,
    identities,
    env: () => all,
    profiles: { follow: () => undefined },
  });
  onTestFinished(() => view.dispose());
  onTestFinished(() => discoveries.dispose());
  const items = async (node?: RuntimeNode) =>
    (await view.getChildren(node)).map((child) => view.getTreeItem(child));
  /** The first scope, which exists once the profile files are read. */
  const place = () =>
    expect.poll(async () => (await view.getChildren()).find(({ kind }) => kind === 'place'));
  const placeNode = async () => {
    await place().toBeDefined();
    return (await view.getChildren()).find(({ kind }) => kind === 'place') as RuntimeNode;
  };
  return { view, items, placeNode, discoveries, identities, ...journal };
}

type Item = ReturnType<RuntimesView['getTreeItem']>;

const told = (items: readonly Item[]) =>
  items.map(({ label, description, contextValue }) => [label, description, contextValue]);

afterEach(() => vi.unstubAllEnvs());

describe('configured runtimes', () => {
  it('are shown with their state, profile and mode', async () => {
    const { items, begin, running } = await setUp([
      { name: 'weather', arn: ARN, profile: 'work', sessionMode: 'identity' },
      { name: 'other', arn: ARN, authorization: { type: 'tokenCommand', command: 'print-token' } },
      { name: 'sample', local: {} },
      {
        name: 'guarded',
        arn: ARN,
        profile: 'work',
        authorization: { type: 'oauth', clientId: 'a' },
      },
    ]);
    await begin('weather');
    await begin('other', 'other', 1);
    await running.refresh();
    expect(told(await items()).slice(0, 4)).toEqual([
      ['weather', 'running · work · identity', 'configured;running'],
      ['other', 'running in another window · token command · session', 'configured;stopped'],
      ['sample', 'stopped · on this machine · session', 'configured;stopped'],
      ['guarded', 'stopped · OAuth · session', 'configured;stopped'],
    ]);
  });

  it('are accessible to screen readers, and a name never becomes Markdown', async () => {
    const { items } = await setUp([{ name: '[x](command:y)', arn: ARN }]);
    const [item] = (await items()) as [Item];
    expect(item.accessibilityInformation?.label).toBe('[x](command:y), stopped · session');
    expect((item.tooltip as { value: string }).value).toContain('\\[x\\]\\(command:y\\)');
  });

  it('are shown together with mistakes in the settings, which open the settings', async () => {
    const { items } = await setUp([{ name: 'bad' }, { name: 'weather', arn: ARN }, { arn: ARN }]);
    const [weather, bad, nameless] = await items();
    expect(weather?.label).toBe('weather');
    expect(bad).toMatchObject({
      label: 'bad',
      contextValue: 'broken',
      description: expect.stringMatching(/^cannot be used: arn is missing/),
      command: {
        command: 'agentcore.openSettings',
        arguments: [{ kind: 'broken', problem: { name: 'bad' } }],
      },
    });
    expect(nameless?.label).toBe('Runtime 3');
  });

  it('are shown together with invalid discovery settings, until these are corrected', async () => {
    workspace.settings = { 'agentcore.discovery.profiles': 'work' };
    onTestFinished(() => {
      workspace.settings = {};
    });
    const { items } = await setUp([{ name: 'weather', arn: ARN }]);
    const labels = async () => (await items()).map(({ label }) => label);
    const sentence = 'agentcore.discovery.profiles must be a list of strings, such as ["default"]';
    await expect.poll(labels).toEqual(['weather', 'environment · us-east-1', sentence]);
    workspace.configure({
      'agentcore.discovery.profiles': ['work'],
      'agentcore.discovery.regions': ['eu-west-1'],
    });
    await expect.poll(labels).toEqual(['weather', 'work · eu-west-1']);
  });

  it('leave the view to its welcome content if there are none', async () => {
    const { items } = await setUp([], { AWS_PROFILE: 'work' });
    expect(await items()).toEqual([]);
  });
});

describe('discovered runtimes', () => {
  it('are loaded when a scope is expanded, and show protocol, authorizer and live version', async () => {
    // The clock stands still, so that the age of the results does not change.
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const local = await start(
      { server: statelessMcp(), agent: httpAgent() },
      { accessKeys: [USER.config] },
    );
    const { arn } = local.runtime('server');
    const entries = [{ name: 'mine', arn, profile: 'work' }];
    // The SDK clients read the environment of this process.
    vi.stubEnv('AWS_ENDPOINT_URL', local.url);
    const { view, items, placeNode, discoveries, identities } = await setUp(entries, {
      AWS_ENDPOINT_URL: local.url,
    });
    const node = await placeNode();
    expect(view.getTreeItem(node)).toMatchObject({ label: 'work · us-east-1', description: '' });
    expect(node.kind === 'place' && discoveries.found(node.place)).toBeUndefined();

    await view.getChildren(node);
    await expect.poll(() => view.getTreeItem(node).description).toMatch(/^2 found · \d+ s ago/);
    const found = told(await items(node));
    expect(found).toContainEqual(['server', 'MCP · IAM · ready · set up', 'discovered;usable']);
    expect(found).toContainEqual(['agent', 'HTTP · IAM · ready', 'discovered;other']);
    const server = (await view.getChildren(node)).find(
      (child) => child.kind === 'discovered' && child.arn === arn,
    );
    expect(told(await items(server))).toEqual([
      ['DEFAULT', expect.stringMatching(/^version \d+ · ready$/), 'endpoint'],
    ]);
    expect(identities.known({ profile: 'work' })?.identity?.account).toBe('123456789012');
  });

  it('are shown together with failures, each with an action', async () => {
    const { view, placeNode, items } = await setUp([{ name: 'mine', arn: ARN, profile: 'gone' }]);
    const node = await placeNode();
    await view.getChildren(node);
    await expect.poll(() => view.getTreeItem(node).description).toBe('1 problem');
    const [problem] = await view.getChildren(node);
    expect(problem).toMatchObject({ kind: 'problem', problem: { kind: 'credentials' } });
    expect((await items(node))[0]?.command?.command).toBe('_agentcore.showProblem');
    expect(problem?.kind === 'problem' && getProblemRemedies(problem.problem)).toEqual([
      { kind: 'openAwsConfig' },
      { kind: 'refreshRuntimes' },
    ]);
  });
});
