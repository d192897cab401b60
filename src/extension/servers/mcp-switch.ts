import * as vscode from 'vscode';
import { AgentCoreError } from '../../base/errors.ts';
import { Contexts } from '../contributions.ts';

/**
 * The VS Code setting that disables MCP servers, or `undefined` if they are enabled. An
 * organization's policy may control these settings.
 */
function findDisablingSetting(): string | undefined {
  const chat = vscode.workspace.getConfiguration('chat');
  if (chat.get<boolean>('disableAIFeatures') === true) return 'chat.disableAIFeatures';
  if (chat.get<boolean>('agent.enabled') === false) return 'chat.agent.enabled';
  if (chat.get<string>('mcp.access') === 'none') return 'chat.mcp.access';
  // Predecessor of `chat.mcp.access`.
  return chat.get<boolean>('mcp.enabled') === false ? 'chat.mcp.enabled' : undefined;
}

/** @throws {AgentCoreError} `config`, with the setting, if VS Code starts no servers. */
export function requireMcp(): void {
  const setting = findDisablingSetting();
  if (setting !== undefined) {
    throw new AgentCoreError('config', describeDisabledBy(setting), { data: { setting } });
  }
}

/** Updates the context key and calls `onChange` when the setting changes. */
export class McpAvailability implements vscode.Disposable {
  readonly #onChange: (sentence: string | undefined) => void;
  readonly #subscription: vscode.Disposable;

  constructor(onChange: (sentence: string | undefined) => void) {
    this.#onChange = onChange;
    this.#subscription = vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration('chat')) this.#tell();
    });
    this.#tell();
  }

  dispose(): void {
    this.#subscription.dispose();
  }

  #tell(): void {
    const setting = findDisablingSetting();
    const isOff = setting !== undefined;
    void vscode.commands.executeCommand('setContext', Contexts.mcpIsOff, isOff);
    this.#onChange(setting === undefined ? undefined : describeDisabledBy(setting));
  }
}

function describeDisabledBy(setting: string): string {
  return vscode.l10n.t(
    'VS Code runs no MCP servers now: the setting {0} switches them off',
    setting,
  );
}
