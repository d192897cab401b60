import type { McpServer } from '@modelcontextprotocol/server';
import { text } from './media.ts';

/** Emits list changes. */
export interface Changes {
  toolsChanged(): void;
  promptsChanged(): void;
}

/** Tools that change the lists of the server. */
export function registerChangingTools(server: McpServer, changes: Changes): void {
  server.registerTool('test_trigger_tool_change', { description: 'Changes the tools' }, () => {
    changes.toolsChanged();
    return { content: [text('The tools have changed')] };
  });

  server.registerTool('test_trigger_prompt_change', { description: 'Changes the prompts' }, () => {
    changes.promptsChanged();
    return { content: [text('The prompts have changed')] };
  });
}
