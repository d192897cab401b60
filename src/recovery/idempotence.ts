import { isObject, type Request, type Response, resultOf } from '../mcp/message.ts';

/** Methods of which a second run does no more than the first. */
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

/** More tools than any server announces; the oldest give way to newer ones. */
const MOST_TOOLS = 10_000;

/** Which requests may run twice, as far as the protocol and the tools' annotations say. */
export class Idempotence {
  readonly #tools = new Map<string, boolean>();

  /** Takes in the answer to a `tools/list`. */
  learn(response: Response): void {
    const result = response.error ? undefined : resultOf(response);
    if (!isObject(result) || !Array.isArray(result.tools)) return;
    for (const tool of result.tools as unknown[]) {
      if (!isObject(tool) || typeof tool.name !== 'string') continue;
      const hints = isObject(tool.annotations) ? tool.annotations : {};
      this.#tools.delete(tool.name);
      this.#tools.set(tool.name, hints.readOnlyHint === true || hints.idempotentHint === true);
      if (this.#tools.size > MOST_TOOLS) this.#tools.delete(this.#tools.keys().next().value ?? '');
    }
  }

  /** False for a tool that was never listed: without a word from it, it may do anything. */
  isIdempotent({ method, params }: Request): boolean {
    if (method === 'tools/call') return this.#tools.get(String(params?.name)) ?? false;
    return IDEMPOTENT_METHODS.has(method);
  }
}
