import { isObject, type JsonObject } from '../../mcp/message.ts';

/** Initial rules for tools by risk, and the YAML comment above them. */
const BEGINNINGS: Readonly<Record<Risk, { readonly comment: string; readonly rules: string }>> = {
  read: { comment: 'These read.', rules: '[]' },
  write: {
    comment: 'These write.',
    rules: '[{ name: pace, rate_limit: 60/hour }, { name: shape, validate: schema }]',
  },
  destructive: {
    comment: 'These destroy, or cannot be undone.',
    rules:
      '[{ name: agreement, action: require_approval }, { name: pace, rate_limit: 10/hour }, { name: shape, validate: schema }]',
  },
  execute: {
    comment: 'These run other code, so their effects are unknown.',
    rules:
      '[{ name: agreement, action: require_approval }, { name: pace, rate_limit: 10/hour }, { name: shape, validate: schema }]',
  },
};

/** Maximum length of an entry's name, as in the document schema. */
const MAX_NAME_LENGTH = 2048;

/**
 * Generates an initial policy document (YAML) from a server's tools. It allows only these tools,
 * with rules by risk.
 *
 * @param origin The server, for the comment in the first line.
 */
export function generatePolicy(tools: readonly JsonObject[], origin: string): string {
  const lines = [
    `# From the tools of ${toPrintableAscii(origin)}. Try it: agentcore-mcp policy check`,
    'version: "1"',
    'default: deny',
    'tools:',
  ];
  const named = tools.filter(({ name }) => typeof name === 'string' && isEntry(name));
  for (const risk of RISKS) {
    const names = named
      .filter((tool) => classifyRisk(tool) === risk)
      .map(({ name }) => String(name));
    if (names.length === 0) continue;
    const { comment, rules } = BEGINNINGS[risk];
    lines.push(`  # ${comment}`);
    for (const name of new Set(names)) lines.push(`  ${formatKey(name)}: { rules: ${rules} }`);
  }
  if (lines.at(-1) === 'tools:') lines[lines.length - 1] = 'tools: {}';
  else lines.push('  "*": { rules: [{ name: all, rate_limit: 120/minute }] }');
  const others = tools.filter((tool) => !named.includes(tool));
  for (const { name } of others) {
    lines.push(
      `# Left out, because no entry can have its name: ${toPrintableAscii(`${JSON.stringify(name)}`)}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** False if the name cannot be an entry: with a glob character, it would match other tools. */
function isEntry(name: string): boolean {
  return (
    name !== '' && name !== '__proto__' && name.length <= MAX_NAME_LENGTH && !/[*?]/.test(name)
  );
}

function formatKey(name: string): string {
  return /^[A-Za-z_][\w-]*$/.test(name) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(name)
    ? name
    : JSON.stringify(name);
}

/** Converts a text to one line of printable ASCII for a YAML comment. */
function toPrintableAscii(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 300);
}

/** Risks of tools, from the least to the most harmful. */
const RISKS = ['read', 'write', 'destructive', 'execute'] as const;

type Risk = (typeof RISKS)[number];

const VERBS: readonly (readonly [Risk, RegExp])[] = [
  [
    'execute',
    /^(exec|execute|run|eval|invoke|shell|bash|script|command|spawn|launch|deploy|start|trigger|code)$/,
  ],
  [
    'destructive',
    /^(delete|remove|drop|destroy|purge|wipe|truncate|terminate|kill|revoke|reset|erase|clear|cancel|transfer|merge|force)$/,
  ],
  [
    'read',
    /^(get|list|read|search|describe|find|show|count|fetch|look|lookup|query|view|check|status|inspect|browse|ping)$/,
  ],
];

/**
 * Classifies a tool by its name and its annotations. A harmful verb in the name overrides the
 * annotations: a read-only hint of `delete_…` is ignored.
 */
function classifyRisk(tool: JsonObject): Risk {
  const hints = isObject(tool.annotations) ? tool.annotations : {};
  const words = String(tool.name)
    .replace(/([a-z\d])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z]+/);
  const named = VERBS.filter(([, verb]) => words.some((word) => verb.test(word))).map(
    ([risk]) => risk,
  );
  const harmful = named.find((risk) => risk !== 'read');
  if (harmful) return harmful;
  if (hints.readOnlyHint === true) return 'read';
  if (hints.destructiveHint === true) return 'destructive';
  return named.includes('read') && hints.readOnlyHint === undefined ? 'read' : 'write';
}
