/** A JSON-RPC message as far as the benchmark looks into it. */
export interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string };
}

/** `arrivedAt` is process.hrtime.bigint() of the chunk that completed the notification. */
type NotificationListener = (notification: Message, arrivedAt: bigint) => void;

/** The client side of one MCP connection. */
export interface McpCaller {
  onNotification: NotificationListener | undefined;
  /** The result; an error answer or a broken connection throws AgentCoreError. */
  request(method: string, params: object): Promise<NonNullable<Message['result']>>;
  notify(method: string): Promise<void>;
}

export const protocolVersion = '2025-11-25';

export const initializeParams = {
  protocolVersion,
  capabilities: {},
  clientInfo: { name: 'agentcore-mcp-bench', version: '1.0.0' },
};
