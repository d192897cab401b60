/** Maximum payload of AgentCore in bytes (source: the model of `InvokeAgentRuntime`). */
export const PAYLOAD_LIMIT = 100_000_000;
