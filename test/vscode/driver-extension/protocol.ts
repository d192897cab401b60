/** The protocol of the driver's socket: one JSON object in each direction. */

/** The environment variable with the path of the driver's socket. */
export const socketVariable = 'VSCODE_DRIVER_SOCKET';

/** A step of the scripted agent in answer to a prompt. */
type ChatStep =
  /**
   * Calls the tool whose name ends in this, because VS Code truncates and prefixes MCP tool names.
   */
  | { readonly call: string; readonly input?: Readonly<Record<string, unknown>> }
  /** Writes an answer. `{result}` in it becomes the text of the last tool's result. */
  | { readonly say: string };

/** The script of the agent and the model, until the next script. */
export interface ChatScript {
  readonly steps: readonly ChatStep[];
  /** The model's answer to every request, such as sampling of a server. */
  readonly model?: string;
}

/** The requests and actions of the agent. */
export interface ChatRequestRecord {
  readonly participant: 'agent' | 'ask';
  readonly prompt: string;
  /** The names of the tools that VS Code offered with the request. */
  readonly tools: readonly string[];
  /** The text of each tool's result, or `error: ` and the error. */
  readonly results: readonly string[];
}

export interface ChatRecord {
  readonly requests: readonly ChatRequestRecord[];
  /** The text of each request to the model, its messages separated by line breaks. */
  readonly modelPrompts: readonly string[];
}

export type DriverRequest =
  /** The source of an async function that is called with `vscode` and these arguments. */
  | { readonly kind: 'run'; readonly script: string; readonly args: readonly unknown[] }
  | { readonly kind: 'chat-script'; readonly script: ChatScript }
  | { readonly kind: 'chat-record' };

/** `value` is absent for undefined. */
export type DriverAnswer = { readonly value?: unknown } | { readonly error: string };
