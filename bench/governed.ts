import { writeFileSync } from 'node:fs';
import { AgentCoreError } from '../src/base/errors.ts';
import type { McpCaller } from './mcp-caller.ts';

const forbidden = 'drop_index';

/**
 * What a team that lets agents at a help desk's server might write: few tools, a bound on what they
 * are given, a pace that is counted on disk, and what is personal kept from the server.
 */
const policy = `
version: "1"
default: deny
hide: [${forbidden}]
redact: { countries: [US, CH] }
billable: ["run_*"]
tools:
  echo:
    rules:
      - name: no markup
        conditions: [{ path: args.text, op: regex, value: "^[^<>]*$" }]
      - { name: pace, rate_limit: 1000000/hour, on_deny: "That is enough for an hour." }
    deny_if: [{ path: args.text, op: contains, value: "BEGIN TRANSACTION" }]
  "get_*": { rules: [] }
  issue_credit:
    rules: [{ action: require_approval, conditions: [{ path: args.amount, op: gt, value: 500 }] }]
  "*": { rules: [{ name: all, rate_limit: 1000000/minute }] }
`;

/** What such a server is sent: a note with somebody's address, number and card. */
export const note =
  'The customer at jane.doe@example.com rang from +1 (415) 555-2671 about order 20261121-7: charged twice on 4111 1111 1111 1111, wants the second one back by Friday.';

export function writePolicy(file: string): void {
  writeFileSync(file, policy, { mode: 0o600 });
}

/** A proxy that keeps no policy would add nothing, and be measured as if it were fast. */
export async function expectGoverned(proxy: McpCaller): Promise<void> {
  const { isError } = await proxy.request('tools/call', { name: forbidden, arguments: {} });
  if (isError === true) return;
  throw new AgentCoreError('protocol', 'the policy was not kept: a tool that it hides was called');
}
