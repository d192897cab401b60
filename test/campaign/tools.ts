/** The tools of the campaign. Only their annotations state which of them may run twice. */
export type ToolName = 'add' | 'look' | 'set' | 'slow' | 'ask';

const KEY = { key: { type: 'string' } };

export const TOOLS = [
  {
    name: 'add',
    inputSchema: {
      type: 'object',
      properties: { ...KEY, region: { type: 'string', 'x-mcp-header': 'Region' } },
    },
  },
  {
    name: 'look',
    annotations: { readOnlyHint: true },
    inputSchema: { type: 'object', properties: KEY },
  },
  {
    name: 'set',
    annotations: { idempotentHint: true },
    inputSchema: { type: 'object', properties: KEY },
  },
  { name: 'slow', inputSchema: { type: 'object', properties: KEY } },
  { name: 'ask', inputSchema: { type: 'object', properties: KEY } },
] as const;

/** Tools that must not run twice for one call. */
export const ONCE: ReadonlySet<ToolName> = new Set(['add', 'slow', 'ask']);
