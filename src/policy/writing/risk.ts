import { isObject, type JsonObject } from '../../mcp/message.ts';

/** Risks of a tool, from least to most harmful. */
export const RISKS = ['read', 'write', 'destructive', 'execute'] as const;

export type Risk = (typeof RISKS)[number];

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
 * The risk of a tool by its annotations and its name, whichever is worse. For example, a read-only
 * hint is ignored for a tool named `delete_…`.
 */
export function classifyRisk(tool: JsonObject): Risk {
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
