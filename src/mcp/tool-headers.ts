import { createParamHeaders, type ParamHeader, parseParamHeaders } from './derived-headers.ts';
import {
  isObject,
  type JsonObject,
  type JsonRpcRequest,
  type JsonRpcResponse,
  parseResult,
} from './message.ts';

/** Servers announce fewer tools. Above the limit, the oldest are dropped. */
const MAX_TOOLS = 10_000;

/** Tool arguments to send as headers, learned from `tools/list`. */
export class ToolHeaders {
  readonly #declared = new Map<string, readonly ParamHeader[]>();

  /** Stores a page of tools. */
  learn(response: JsonRpcResponse): void {
    const result = parseResult(response);
    if (!isObject(result) || !Array.isArray(result.tools)) return;
    for (const tool of result.tools as unknown[]) {
      if (isObject(tool) && typeof tool.name === 'string') this.#set(tool.name, tool);
    }
  }

  /** The `Mcp-Param-*` headers for a call; none if the tool was not listed. */
  for(request: JsonRpcRequest): Record<string, string> {
    if (request.method !== 'tools/call') return {};
    const declared = this.#declared.get(String(request.params?.name));
    return declared ? createParamHeaders(request, declared) : {};
  }

  #set(name: string, tool: JsonObject): void {
    this.#declared.delete(name);
    this.#declared.set(name, parseParamHeaders(tool.inputSchema));
    if (this.#declared.size <= MAX_TOOLS) return;
    for (const oldest of this.#declared.keys()) {
      this.#declared.delete(oldest);
      break;
    }
  }
}
