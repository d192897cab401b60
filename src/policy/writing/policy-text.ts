import type { JsonObject } from '../../mcp/message.ts';
import { RISKS, type Risk, riskOf } from './risk.ts';

/** The rules that a tool of each risk begins with, and what the document says of them. */
const BEGINNINGS: Readonly<Record<Risk, { readonly says: string; readonly rules: string }>> = {
  read: { says: 'These read.', rules: '[]' },
  write: {
    says: 'These write.',
    rules: '[{ name: pace, rate_limit: 60/hour }, { name: shape, validate: schema }]',
  },
  destructive: {
    says: 'These destroy, or cannot be undone.',
    rules:
      '[{ name: agreement, action: require_approval }, { name: pace, rate_limit: 10/hour }, { name: shape, validate: schema }]',
  },
  execute: {
    says: 'These run something, whatever that does.',
    rules:
      '[{ name: agreement, action: require_approval }, { name: pace, rate_limit: 10/hour }, { name: shape, validate: schema }]',
  },
};

/** A policy to begin with, from what a server lists: only these tools, each by its risk. */
export function policyText(tools: readonly JsonObject[], origin: string): string {
  const lines = [
    `# From the tools of ${origin.replace(/[^\x20-\x7e]/g, '?')}. Try it: agentcore-mcp policy check`,
    'version: "1"',
    'default: deny',
    'tools:',
  ];
  for (const risk of RISKS) {
    const names = tools
      .filter((tool) => typeof tool.name === 'string' && riskOf(tool) === risk)
      .map(({ name }) => String(name));
    if (names.length === 0) continue;
    const { says, rules } = BEGINNINGS[risk];
    lines.push(`  # ${says}`);
    for (const name of new Set(names)) lines.push(`  ${keyText(name)}: { rules: ${rules} }`);
  }
  if (lines.at(-1) === 'tools:') lines[lines.length - 1] = 'tools: {}';
  else lines.push('  "*": { rules: [{ name: all, rate_limit: 120/minute }] }');
  return `${lines.join('\n')}\n`;
}

/** A tool whose name is a glob would list others. */
function keyText(name: string): string {
  if (/[*?]/.test(name)) return JSON.stringify(name.replace(/[*?]/g, '_'));
  return /^[A-Za-z_][\w-]*$/.test(name) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(name)
    ? name
    : JSON.stringify(name);
}
