import { declaredParamHeaders, type ParamHeader, paramHeaders } from '../../mcp/derived-headers.ts';
import {
  isObject,
  type JsonObject,
  type Request,
  type Response,
  resultOf,
} from '../../mcp/message.ts';

/** More tools than any server announces; the oldest give way to newer ones. */
const MOST_TOOLS = 10_000;

/** Which arguments of which tools go into headers, as far as `tools/list` has told. */
export class ToolHeaders {
  readonly #declared = new Map<string, readonly ParamHeader[]>();

  /** Takes in a page of tools; returns the cursor of the next one. */
  learn(response: Response): string | undefined {
    const result = resultOf(response);
    if (!isObject(result) || !Array.isArray(result.tools)) return undefined;
    for (const tool of result.tools as unknown[]) {
      if (isObject(tool) && typeof tool.name === 'string') this.#set(tool.name, tool);
    }
    return typeof result.nextCursor === 'string' ? result.nextCursor : undefined;
  }

  /** The `Mcp-Param-*` headers for a call; none for a tool that was never listed. */
  for(request: Request): Record<string, string> {
    if (request.method !== 'tools/call') return {};
    const declared = this.#declared.get(String(request.params?.name));
    return declared ? paramHeaders(request, declared) : {};
  }

  #set(name: string, tool: JsonObject): void {
    this.#declared.delete(name);
    this.#declared.set(name, declaredParamHeaders(tool.inputSchema));
    if (this.#declared.size <= MOST_TOOLS) return;
    for (const oldest of this.#declared.keys()) {
      this.#declared.delete(oldest);
      break;
    }
  }
}
