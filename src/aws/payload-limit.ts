/** The most bytes that AgentCore takes as a payload (source: the model of `InvokeAgentRuntime`). */
export const PAYLOAD_LIMIT = 100_000_000;
