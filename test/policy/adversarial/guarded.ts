import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LocalRuntime } from '../../../src/local/local-runtime.ts';
import { proxyTo } from '../../fixtures/proxied-runtime.ts';
import type { ProxyProcess } from '../../fixtures/proxy-process.ts';
import { endWithTest } from '../../fixtures/running.ts';
import { start } from '../../local/harness.ts';

/** The policy that the corpus tries to bypass. */
const POLICY = `
version: "1"
default: deny
hide: [wipe]
hide_prompts: [secret]
hide_resources: ["file:///etc/*"]
tools:
  read: { rules: [] }
  "list_*": { rules: [] }
  ask: { rules: [] }
  ask_inline: { rules: [] }
  delete_db: { rules: [{ name: never, action: deny, on_deny: "Ask the platform team." }] }
  pay:
    rules:
      - conditions:
          - { path: args.amount, op: lte, value: 500 }
          - { path: args.to.country, op: not_in, value: [kp, ir] }
  refund:
    rules: []
    deny_if:
      - { path: args.amount, op: gt, value: 500 }
      - { path: args.note, op: contains, value: launder }
      - { path: args.way, op: eq, value: wire }
      - { path: args.hidden, op: eq, value: true }
      - { path: args.order.total, op: gt, value: 100 }
      - { path: args.items.*.price, op: gt, value: 100 }
  export: { rules: [{ validate: schema }] }
  limited: { rules: [{ rate_limit: 3/month }] }
  budgeted:
    rules:
      - conditions: [{ path: state.budgeted.sum, op: lte, value: 100 }]
        state: { counter: sum, window: month, increment_from: args.n }
prompts: { hello: { rules: [] }, secret: { rules: [] } }
resources: { "file:///*": { rules: [] } }
methods:
  sampling/createMessage: { rules: [{ action: deny, reason: "No sampling." }] }
  completion/complete: { rules: [] }
  logging/setLevel: { rules: [{ conditions: [{ path: params.level, op: neq, value: debug }] }] }
`;

export interface Guarded {
  readonly local: LocalRuntime;
  readonly proxy: ProxyProcess;
  /** The policy document. */
  readonly file: string;
  readonly state: string;
  /** The environment of the proxy. */
  readonly env: Record<string, string>;
}

/** A proxy with a policy, in front of a server that allows everything. */
export async function startGuarded(
  policy: string = POLICY,
  env: Record<string, string> = {},
): Promise<Guarded> {
  const state = await mkdtemp(join(tmpdir(), 'agentcore-mcp-test-'));
  endWithTest(state, () => rm(state, { recursive: true, force: true }));
  const file = join(state, 'policy.yaml');
  await writeFile(file, policy);
  const server = {
    command: [
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      fileURLToPath(new URL('../../fixtures/lenient-server.ts', import.meta.url)),
    ],
  };
  const local = await start({ server }, {}, { deliveryLimit: 20_000 });
  const all = { AGENTCORE_POLICY: file, AGENTCORE_STATE_DIR: state, ...env };
  return { local, proxy: proxyTo(local, all), file, state, env: all };
}
