/** What the two ends of the driver's socket say to each other: one JSON object each way. */

/** The environment variable that names the driver's socket. */
export const socketVariable = 'VSCODE_DRIVER_SOCKET';

/** What the scripted agent does with a prompt, one after the other. */
type ChatStep =
  /** Calls the tool whose name ends in this: VS Code cuts and prefixes the names of MCP tools. */
  | { readonly call: string; readonly input?: Readonly<Record<string, unknown>> }
  /** Writes an answer; `{result}` in it becomes the text of the last tool's result. */
  | { readonly say: string };

/** What the scripted agent and model say until the next script. */
export interface ChatScript {
  readonly steps: readonly ChatStep[];
  /** The model's answer to whoever asks it, such as a server that samples. */
  readonly model?: string;
}

/** What the agent was asked and did. */
export interface ChatRequestRecord {
  readonly participant: 'agent' | 'ask';
  readonly prompt: string;
  /** The names of the tools that VS Code offered with the request. */
  readonly tools: readonly string[];
  /** The text of each tool's result, or `error: ` and what was thrown. */
  readonly results: readonly string[];
}

export interface ChatRecord {
  readonly requests: readonly ChatRequestRecord[];
  /** The text of each request to the model, its messages parted by line ends. */
  readonly modelPrompts: readonly string[];
}

export type DriverRequest =
  /** The source of an async function that is called with `vscode` and these. */
  | { readonly kind: 'run'; readonly script: string; readonly args: readonly unknown[] }
  | { readonly kind: 'chat-script'; readonly script: ChatScript }
  | { readonly kind: 'chat-record' };

/** `value` is absent for undefined. */
export type DriverAnswer = { readonly value?: unknown } | { readonly error: string };
