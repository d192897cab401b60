import { pathToFileURL } from 'node:url';
import { Client, type ContentBlock, type Transport } from '@modelcontextprotocol/client';
import type { Model, Observation } from './model.ts';

/** A model that never comes to an end is stopped here. */
const MOST_CALLS = 10;
/** Milliseconds that a tool has, the sampling it asks for included. */
const CALL_TIMEOUT = 120_000;

/** Takes a line of the transcript: who or what, and the words. */
export type Transcript = (label: string, text: string) => void;

/** Does a task with the tools of one MCP server and the decisions of a model. */
export class Agent {
  readonly #model: Model;
  readonly #say: Transcript;
  readonly #client: Client;

  constructor(model: Model, say: Transcript) {
    this.#model = model;
    this.#say = say;
    this.#client = new Client(
      { name: 'sample-agent', version: '1.0.0' },
      { capabilities: { sampling: {}, elicitation: { form: {} }, roots: {} } },
    );
    this.#client.setRequestHandler('sampling/createMessage', async ({ params }) => {
      const contents = params.messages.flatMap(({ content }) => content);
      const prompt = contents.map((part) => (part.type === 'text' ? part.text : '')).join('\n');
      this.#say('asked', prompt);
      const text = await this.#model.complete(prompt, params.maxTokens);
      this.#say('said', text);
      return {
        model: this.#model.name,
        role: 'assistant' as const,
        content: { type: 'text' as const, text },
      };
    });
    // Nobody sits in front of this agent.
    this.#client.setRequestHandler('elicitation/create', ({ params }) => {
      this.#say('declined', params.message);
      return { action: 'decline' as const };
    });
    this.#client.setRequestHandler('roots/list', () => ({
      roots: [{ uri: pathToFileURL(process.cwd()).href }],
    }));
  }

  /**
   * @param transport To the server; it is closed at the end.
   * @returns the model's answer.
   */
  async run(task: string, transport: Transport): Promise<string> {
    await this.#client.connect(transport);
    try {
      this.#say('task', task);
      const { tools } = await this.#client.listTools();
      this.#say('tools', tools.map(({ name }) => name).join(', '));
      const seen: Observation[] = [];
      while (seen.length < MOST_CALLS) {
        const decision = await this.#model.decide(task, tools, seen);
        if ('answer' in decision) {
          this.#say('answer', decision.answer);
          return decision.answer;
        }
        const { call, args } = decision;
        this.#say('call', `${call} ${JSON.stringify(args)}`);
        const result = await this.#call(call, args);
        this.#say('result', result);
        seen.push({ tool: call, result });
      }
      throw new Error(`The task was not done after ${MOST_CALLS} calls`);
    } finally {
      await this.#client.close();
    }
  }

  /** The text of a tool's result; a tool that failed has told why, which the model may use. */
  async #call(name: string, args: Record<string, unknown>): Promise<string> {
    const { content } = await this.#client.callTool(
      { name, arguments: args },
      { timeout: CALL_TIMEOUT, maxTotalTimeout: CALL_TIMEOUT },
    );
    return content.flatMap(textOf).join('\n');
  }
}

function textOf(block: ContentBlock): string[] {
  return block.type === 'text' ? [block.text] : [];
}
