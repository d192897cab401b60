import {
  isObject,
  type JsonRpcRequest,
  type JsonRpcResponse,
  parseResult,
} from '../mcp/message.ts';

/** Methods for which a second run has no further effect. */
const IDEMPOTENT_METHODS = new Set([
  'initialize',
  'ping',
  'server/discover',
  'tools/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'prompts/list',
  'prompts/get',
  'completion/complete',
  'logging/setLevel',
  'tasks/get',
  'tasks/list',
  'tasks/result',
]);

/** More than any server announces. Beyond it, the oldest tools are removed. */
const MAX_IDEMPOTENT_TOOLS = 10_000;

/** Decides whether a request may run twice, from its method and the tool's annotations. */
export class Idempotence {
  readonly #tools = new Map<string, boolean>();

  /** Records the response to a `tools/list`. */
  learn(response: JsonRpcResponse): void {
    const result = response.error ? undefined : parseResult(response);
    if (!isObject(result) || !Array.isArray(result.tools)) return;
    for (const tool of result.tools as unknown[]) {
      if (!isObject(tool) || typeof tool.name !== 'string') continue;
      const hints = isObject(tool.annotations) ? tool.annotations : {};
      this.#tools.delete(tool.name);
      this.#tools.set(tool.name, hints.readOnlyHint === true || hints.idempotentHint === true);
      if (this.#tools.size > MAX_IDEMPOTENT_TOOLS)
        this.#tools.delete(this.#tools.keys().next().value ?? '');
    }
  }

  /** False for a tool that was never listed, because without annotations it may have any effect. */
  isIdempotent({ method, params }: JsonRpcRequest): boolean {
    if (method === 'tools/call') return this.#tools.get(String(params?.name)) ?? false;
    return IDEMPOTENT_METHODS.has(method);
  }
}
