import type { PlatformError } from '../answers/platform-error.ts';
import type { Deliveries } from '../deliveries.ts';
import type { RequestRecord } from '../request-log.ts';
import type { TargetLinks } from './gateway-sessions.ts';

/** Separates the target name from the tool name. */
const SEPARATOR = '___';

/** Maximum number of pages to list per target. */
const MAX_PAGES = 100;

/** The result or error of a JSON-RPC response, or a platform error. */
export type ToolsAnswer =
  | { readonly result: unknown }
  | { readonly error: unknown }
  | { readonly failure: PlatformError };

/** Lists the tools of all targets, with the target name as prefix. */
export async function listTools(links: TargetLinks): Promise<ToolsAnswer> {
  const tools: unknown[] = [];
  for (const [target, link] of links) {
    /**
     * Cursors already used. An empty or repeated cursor ends the list, to prevent an endless loop.
     */
    const seen = new Set<string | undefined>(['']);
    let cursor: string | undefined;
    while (!seen.has(cursor) && seen.size <= MAX_PAGES) {
      seen.add(cursor);
      const outcome = await link.request('tools/list', cursor === undefined ? {} : { cursor });
      if (!outcome.ok) return { failure: outcome.error };
      const { answer } = outcome;
      if ('error' in answer) return answer;
      tools.push(...getTools(answer.result).map((tool) => prefixToolName(tool, target)));
      cursor = getTextField(answer.result, 'nextCursor');
    }
  }
  return { result: { tools } };
}

/** Calls the tool named `target___tool`. */
export async function callTool(
  links: TargetLinks,
  params: unknown,
  record: RequestRecord,
  deliveries: Deliveries,
): Promise<ToolsAnswer> {
  const name = getTextField(params, 'name') ?? '';
  const at = name.indexOf(SEPARATOR);
  const link = at < 0 ? undefined : links.get(name.slice(0, at));
  if (!link) return { error: { code: -32602, message: `Unknown tool: ${name}` } };
  const own = { ...(params as object), name: name.slice(at + SEPARATOR.length) };
  const outcome = await link.request('tools/call', own, (session, body) =>
    deliveries.add(record, session, body),
  );
  return outcome.ok ? outcome.answer : { failure: outcome.error };
}

function getTools(result: unknown): readonly object[] {
  const tools = typeof result === 'object' && result !== null && 'tools' in result && result.tools;
  return Array.isArray(tools) ? tools : [];
}

function prefixToolName(tool: object, target: string): object {
  return { ...tool, name: `${target}${SEPARATOR}${getTextField(tool, 'name') ?? ''}` };
}

function getTextField(value: unknown, name: string): string | undefined {
  const field = (value as Readonly<Record<string, unknown>> | null | undefined)?.[name];
  return typeof field === 'string' ? field : undefined;
}
