import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DiscoveredScope } from '../../../src/aws/discovery/discovery.ts';
import type { DiscoveredRuntime } from '../../../src/aws/discovery/model.ts';
import { createAuthorizationSteps } from '../../../src/extension/setup/authorization-step.ts';
import { addRecentRole, createRoleItems } from '../../../src/extension/setup/identity-steps.ts';
import { EMPTY_DRAFT, type RuntimeDraft } from '../../../src/extension/setup/runtime-draft.ts';
import { pickMode } from '../../../src/extension/setup/setup.ts';
import type { SetupContext } from '../../../src/extension/setup/setup-context.ts';
import {
  createEndpointItems,
  createTargetItems,
} from '../../../src/extension/setup/target-step.ts';
import { temporaryFolder } from '../../state/journal/fixture.ts';
import { window } from '../vscode-stub.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const ROLE = 'arn:aws:iam::210987654321:role/Caller';
const ROLE_OF = {
  arns: [ROLE],
  sessionName: undefined,
  externalId: undefined,
  mfaSerial: undefined,
  sourceIdentity: undefined,
};

function runtime(name: string, more: Partial<DiscoveredRuntime> = {}): DiscoveredRuntime {
  return {
    kind: 'runtime',
    account: '123456789012',
    region: 'eu-west-1',
    arn: `arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/${name}-Ab12Cd34Ef`,
    id: `${name}-Ab12Cd34Ef`,
    name,
    version: '2',
    status: 'READY',
    protocol: 'MCP',
    authorizer: 'IAM',
    ...more,
  };
}

function place(more: Partial<DiscoveredScope>): DiscoveredScope {
  return {
    place: { profile: 'work', region: 'eu-west-1' },
    identity: undefined,
    runtimes: undefined,
    gateways: undefined,
    problems: [],
    isDone: true,
    ...more,
  };
}

const listing = (items: readonly DiscoveredRuntime[], readAt = NOW) => ({
  items,
  readAt: new Date(readAt).toISOString(),
  source: 'aws' as const,
});

describe('discovered runtimes', () => {
  it('are grouped: MCP servers first, then the others with the reason', () => {
    const items = [runtime('agent', { protocol: 'HTTP' }), runtime('weather')];
    const shown = createTargetItems(place({ runtimes: listing(items) }), NOW);
    expect(shown.map(({ label, description }) => [label, description])).toEqual([
      ['work · eu-west-1', undefined],
      ['$(server) weather', 'MCP · IAM'],
      ['No MCP servers', undefined],
      ['$(circle-slash) agent', 'HTTP · IAM'],
    ]);
    expect(shown[3]?.detail).toContain('not an MCP server');
  });

  it('show their age, and failures next to results', () => {
    const problem = {
      place: { profile: 'work', region: 'eu-west-1' },
      kind: 'denied' as const,
      api: 'ListGateways',
      subject: undefined,
      sentence: 'Could not list gateways',
    };
    const runtimes = listing([runtime('weather')], NOW - 5 * 60_000);
    const labels = createTargetItems(place({ runtimes, problems: [problem] }), NOW).map(
      ({ label }) => label,
    );
    expect(labels[0]).toMatch(/^work · eu-west-1, read 5/);
    expect(labels).toContain('$(server) weather');
    expect(labels).toContain('$(warning) Could not list gateways');
  });

  it('show a loading state until the protocol is known, and a message if there are none', () => {
    const unread = runtime('weather', { protocol: undefined, authorizer: undefined });
    const [, item] = createTargetItems(place({ runtimes: listing([unread]), isDone: false }), NOW);
    expect(item).toMatchObject({ label: '$(server) weather', description: 'loading' });
    expect(createTargetItems(place({ runtimes: listing([]) }), NOW)[1]?.label).toContain(
      'no runtimes',
    );
  });
});

describe('the endpoint list', () => {
  it('shows live versions, and always contains DEFAULT and the current endpoint', () => {
    const prod = { name: 'prod', arn: '', status: 'READY', liveVersion: '2', targetVersion: '3' };
    expect(createEndpointItems([prod], 'old')).toMatchObject([
      { label: 'prod', description: 'version 2 · updating to version 3' },
      { label: 'DEFAULT', description: '' },
      { label: 'old' },
    ]);
    expect(createEndpointItems(undefined, 'DEFAULT')).toHaveLength(1);
  });
});

describe('the role list', () => {
  it('shows named, recent, and otherwise the current role', () => {
    const targets = [
      { name: 'Prod', arn: ROLE, sessionName: 's' },
      { arn: `${ROLE}2`, sessionName: 's', chain: [ROLE], sourceProfile: 'work' },
    ];
    const present = { ...ROLE_OF, arns: [`${ROLE}3`] };
    const shown = createRoleItems(targets, present).slice(2);
    expect(shown.map(({ label, detail }) => [label, detail])).toEqual([
      ['Now', undefined],
      ['Caller3', `${ROLE}3`],
      ['Named', undefined],
      ['Prod', ROLE],
      ['Recent', undefined],
      ['Caller2', `${ROLE} → ${ROLE}2`],
    ]);
    expect(shown[5]?.description).toBe('210987654321 · from work');
  });

  it('shows a recent current role once, with the external ID of the current one', () => {
    const target = { arn: ROLE, sessionName: 's', wantsExternalId: true };
    const present = { ...ROLE_OF, externalId: 'secret-of-the-partner' };
    const shown = createRoleItems([target], present).slice(2);
    expect(shown.map(({ label }) => label)).toEqual(['Recent', 'Caller']);
    expect(shown[1]).toMatchObject({ value: { kind: 'role', role: present } });
  });

  it('marks a role that requires an unknown external ID', () => {
    const target = { arn: ROLE, sessionName: 's', wantsExternalId: true };
    const shown = createRoleItems([target], ROLE_OF).slice(2);
    expect(shown.map(({ label }) => label)).toEqual(['Now', 'Caller', 'Recent', 'Caller']);
    expect(shown[3]).toMatchObject({
      description: '210987654321 · takes an external id',
      value: { kind: 'unidentified' },
    });
  });
});

it('a role is stored without its external ID', async () => {
  const state = await temporaryFolder();
  const role = { ...ROLE_OF, externalId: 'secret-of-the-partner' };
  await addRecentRole({ role, profile: 'work' }, { AGENTCORE_STATE_DIR: state });
  const text = await readFile(join(state, 'role-targets.json'), 'utf8');
  expect(JSON.parse(text).targets).toMatchObject([{ arn: ROLE, wantsExternalId: true }]);
  expect(text).not.toContain(role.externalId);
});

describe('the options for gateways and runtimes', () => {
  const offered = async (ask: (draft: RuntimeDraft) => Promise<unknown>, arn: string) => {
    void ask({ ...EMPTY_DRAFT, arn }).catch(() => undefined);
    await Promise.resolve();
    const picker = window.shown.at(-1);
    picker?.escape();
    return picker?.labels;
  };
  const setup = { title: 'Set Up Runtime' } as SetupContext;
  const ARN = runtime('weather').arn;
  const GATEWAY = ARN.replace('runtime/', 'gateway/').toLowerCase();

  it('offer identity sessions for runtimes only, and no authorization for gateways only', async () => {
    const mode = (draft: RuntimeDraft) => pickMode(setup, draft);
    expect(await offered(mode, ARN)).toContain('One for each identity');
    expect(await offered(mode, GATEWAY)).not.toContain('One for each identity');
    const [kinds] = createAuthorizationSteps(setup, async () => false);
    const kind = async (draft: RuntimeDraft) =>
      kinds?.ask(draft, { step: 1, total: 2, canGoBack: false });
    expect(await offered(kind, ARN)).not.toContain('Nothing');
    expect(await offered(kind, GATEWAY)).toContain('Nothing');
  });
});
