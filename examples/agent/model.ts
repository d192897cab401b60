/** A tool as a model is told of it. */
export interface OfferedTool {
  readonly name: string;
  readonly description?: string | undefined;
  readonly inputSchema: object;
}

/** A tool call that was made, and the text that came back. */
export interface Observation {
  readonly tool: string;
  readonly result: string;
}

/** What a model wants to happen next. */
export type Decision =
  | { readonly call: string; readonly args: Record<string, unknown> }
  | { readonly answer: string };

/** What the agent needs of a language model. A real one goes behind the same two methods. */
export interface Model {
  /** What its answers to servers are signed with. */
  readonly name: string;
  /** Decides what to do about a task, given the tools and what they have said so far. */
  decide(
    task: string,
    tools: readonly OfferedTool[],
    seen: readonly Observation[],
  ): Promise<Decision>;
  /** Answers a prompt, in at most `maxTokens`; servers ask this of the agent by sampling. */
  complete(prompt: string, maxTokens: number): Promise<string>;
}
