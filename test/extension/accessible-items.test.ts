import { expect, it } from 'vitest';
import { AgentCoreError } from '../../src/base/errors.ts';
import type { CredentialNode } from '../../src/extension/models/profiles-model.ts';
import { createConfiguredNode, type RuntimeNode } from '../../src/extension/models/tree-nodes.ts';
import { readEntry } from '../../src/extension/settings/runtime-entry.ts';
import { ActivityView } from '../../src/extension/views/activity-view.ts';
import { createCredentialItem } from '../../src/extension/views/credentials-view.ts';
import { createRuntimeItem } from '../../src/extension/views/runtimes-view.ts';
import {
  createApprovalItem,
  createApprovalsItem,
  SessionsView,
} from '../../src/extension/views/sessions-view.ts';
import { EventEmitter } from './vscode-stub.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const ARN = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/weather-Ab12Cd34Ef';
const ROLE = 'arn:aws:iam::123456789012:role/Reader';
const PLACE = { profile: 'work', region: 'eu-west-1' };
const IDENTITY = {
  account: '123456789012',
  arn: 'arn:aws:sts::123456789012:assumed-role/Reader/me',
  region: 'eu-west-1',
  source: 'sso',
  kind: 'role',
  name: 'Reader',
  sessionName: 'me',
  expiresAt: '2026-01-01T13:00:00Z',
};

/** One node of each kind. Add every new kind here. */
const RUNTIME_NODES = {
  configured: createConfiguredNode(readEntry({ name: 'weather', arn: ARN, profile: 'work' })),
  broken: { kind: 'broken', problem: { index: 1, field: 'arn', sentence: 'Runtime "x": arn' } },
  place: { kind: 'place', place: PLACE },
  discovered: {
    kind: 'discovered',
    place: PLACE,
    arn: ARN,
    target: { kind: 'runtime', name: 'weather', arn: ARN, status: 'READY', protocol: 'MCP' },
  },
  endpoint: {
    kind: 'endpoint',
    arn: `${ARN}/runtime-endpoint/DEFAULT`,
    runtime: { place: PLACE },
    endpoint: { name: 'DEFAULT', arn: ARN, status: 'READY', liveVersion: '3' },
  },
  problem: { kind: 'problem', problem: { place: PLACE, sentence: 'Could not list runtimes' } },
  nothing: { kind: 'nothing', place: PLACE },
} as unknown as Readonly<Record<RuntimeNode['kind'], RuntimeNode>>;

const CREDENTIAL_NODES = {
  sso: {
    kind: 'sso',
    session: { name: 'corp', startUrl: 'https://corp.awsapps.com/start', region: 'eu-west-1' },
    status: { state: 'signed-in', until: new Date(NOW + 3_600_000), isRefreshable: true },
  },
  profile: { kind: 'profile', profile: { name: 'work', kind: 'sso', region: 'eu-west-1' } },
  environment: { kind: 'environment' },
  roles: { kind: 'roles', roles: [] },
  role: { kind: 'role', arn: ROLE, role: { arn: ROLE, sourceProfile: 'work' } },
  identity: { kind: 'identity', profile: 'work', identity: IDENTITY, arn: IDENTITY.arn },
  problem: { kind: 'problem', failure: new AgentCoreError('credentials', 'Could not sign in') },
} as unknown as Readonly<Record<CredentialNode['kind'], CredentialNode>>;

const SESSION = {
  id: 'a',
  runtime: ARN,
  state: 'idle',
  mode: 'session',
  mayBill: true,
  open: 0,
  age: 120_000,
  idleLeft: 600_000,
  lifetimeLeft: 700_000,
  lifecycle: { idleTimeout: 900_000, maxLifetime: 28_800_000, source: 'assumed' },
  programs: [],
  startedAt: '2026-01-01T11:58:00Z',
  lastActiveAt: '2026-01-01T11:59:00Z',
  cost: { least: 0.001, most: 0.002 },
  costToCome: { least: 0.001, most: 0.002 },
};

interface Shown {
  readonly label?: unknown;
  readonly description?: unknown;
  readonly accessibilityInformation?: { readonly label: string } | undefined;
}

/** The visible words of an item that its accessibility label lacks. */
function unsaid({ label, description, accessibilityInformation: said }: Shown): readonly string[] {
  const shown = [
    String(label),
    ...(typeof description === 'string' ? description.split(' · ') : []),
  ];
  return shown.filter((words) => !said?.label.includes(words));
}

it.each(Object.entries(RUNTIME_NODES))(
  'reads out everything that it shows of a runtime: %s',
  (_, node) => {
    const item = createRuntimeItem(node, {
      getRunningPlace: () => 'here',
      getIdentity: () => undefined,
      found: () => undefined,
      isLooking: () => true,
      isConfigured: () => true,
      now: NOW,
    });
    expect(unsaid(item)).toEqual([]);
  },
);

it.each(Object.entries(CREDENTIAL_NODES))(
  'reads out everything that it shows of credentials: %s',
  (_, node) => {
    expect(unsaid(createCredentialItem(node, () => undefined, NOW))).toEqual([]);
  },
);

it('reads out everything that it shows of sessions and pending calls', () => {
  const journal = {
    value: { entries: [SESSION], problems: [] },
    onDidChange: new EventEmitter<object>().event,
    refresh: async () => undefined,
  };
  const approvals = { value: [], onDidChange: new EventEmitter<void>().event };
  const view = new SessionsView(journal as never, approvals as never);
  const ended = { kind: 'ended', entries: [] } as const;
  for (const node of [...view.getChildren(), ended]) {
    expect(unsaid(view.getTreeItem(node))).toEqual([]);
  }
  view.dispose();
  const pending = { id: 'a', tool: 'drop', text: '', until: '2026-01-01T12:01:00Z' } as never;
  expect(unsaid(createApprovalsItem([pending]))).toEqual([]);
  expect(createApprovalItem(pending).accessibilityInformation?.label).toMatch(
    /^drop, waits for your/,
  );
});

it('reads out everything that it shows of a record', () => {
  const { event } = new EventEmitter<object>();
  const view = new ActivityView({ onDidChange: event } as never);
  const record = { type: 'call', method: 'tools/call', at: '2026-01-01T12:00:00Z' };
  const head = { program: 'proxy', pid: 7, host: 'here' };
  expect(unsaid(view.getTreeItem({ record, head, at: NOW } as never))).toEqual([]);
  view.dispose();
});
