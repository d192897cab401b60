import * as vscode from 'vscode';
import type {
  ModelInformation,
  ModelProvider,
  NewerLanguageModels,
  RequestWithTools,
} from './proposed.ts';
import type { ChatRecord, ChatRequestRecord, ChatScript } from './protocol.ts';

const model: ModelInformation = {
  id: 'scripted',
  name: 'Scripted',
  family: 'scripted',
  version: '1',
  maxInputTokens: 100_000,
  maxOutputTokens: 100_000,
  isDefault: true,
  isUserSelectable: true,
  capabilities: { toolCalling: true },
};

/** The model and the default participants of the chat view, all controlled by a script. */
export class ScriptedChat {
  #script: ChatScript = { steps: [] };
  #requests: ChatRequestRecord[] = [];
  #modelPrompts: string[] = [];

  register(): vscode.Disposable {
    const languageModels = vscode.lm as unknown as NewerLanguageModels;
    return vscode.Disposable.from(
      languageModels.registerLanguageModelChatProvider('scripted', this.#provider()),
      this.#participant('agent'),
      this.#participant('ask'),
    );
  }

  /** Replaces the script and clears the records. */
  follow(script: ChatScript): void {
    this.#script = script;
    this.#requests = [];
    this.#modelPrompts = [];
  }

  get record(): ChatRecord {
    return { requests: this.#requests, modelPrompts: this.#modelPrompts };
  }

  #provider(): ModelProvider {
    return {
      provideLanguageModelChatInformation: () => [model],
      provideLanguageModelChatResponse: async (_model, messages, _options, progress) => {
        this.#modelPrompts.push(messages.map(({ content }) => textOf(content)).join('\n'));
        progress.report(new vscode.LanguageModelTextPart(this.#script.model ?? 'no script'));
      },
      provideTokenCount: async () => 1,
    };
  }

  #participant(name: 'agent' | 'ask'): vscode.Disposable {
    return vscode.chat.createChatParticipant(
      `agentcore-mcp-test.${name}`,
      async (request, _context, stream, token) => {
        const tools = enabledTools(request);
        const results: string[] = [];
        this.#requests.push({ participant: name, prompt: request.prompt, tools, results });
        for (const step of this.#script.steps) {
          if (token.isCancellationRequested) return;
          if ('say' in step) stream.markdown(step.say.replace('{result}', results.at(-1) ?? ''));
          else results.push(await callTool(step.call, step.input ?? {}, request, token));
        }
      },
    );
  }
}

/** The tools that VS Code offers with a request. If it names none, all tools. */
function enabledTools({ tools }: RequestWithTools): readonly string[] {
  if (!tools) return vscode.lm.tools.map(({ name }) => name);
  return [...tools].filter(([, enabled]) => enabled).map(([{ name }]) => name);
}

/**
 * Calls a tool as part of the request, as an agent does, so that VS Code shows the confirmation in
 * the answer.
 */
async function callTool(
  ending: string,
  input: object,
  { toolInvocationToken }: vscode.ChatRequest,
  token: vscode.CancellationToken,
): Promise<string> {
  const tool = vscode.lm.tools.find(({ name }) => name.endsWith(ending));
  if (!tool) return `error: there is no tool whose name ends in ${ending}`;
  try {
    const options = { input, toolInvocationToken };
    const { content } = await vscode.lm.invokeTool(tool.name, options, token);
    return textOf(content);
  } catch (error) {
    return `error: ${error instanceof Error ? error.message : error}`;
  }
}

function textOf(parts: readonly unknown[]): string {
  return parts
    .filter((part) => part instanceof vscode.LanguageModelTextPart)
    .map(({ value }) => value)
    .join('');
}
