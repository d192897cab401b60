import type * as vscode from 'vscode';

/**
 * VS Code API beyond the version that this project builds against. The driver runs only in the
 * version that the tests install.
 */
export interface NewerLanguageModels {
  registerLanguageModelChatProvider(vendor: string, provider: ModelProvider): vscode.Disposable;
}

export interface ModelInformation {
  readonly id: string;
  readonly name: string;
  readonly family: string;
  readonly version: string;
  readonly maxInputTokens: number;
  readonly maxOutputTokens: number;
  readonly isDefault: boolean;
  readonly isUserSelectable: boolean;
  readonly capabilities: { readonly toolCalling: boolean };
}

export interface ModelProvider {
  provideLanguageModelChatInformation(): readonly ModelInformation[];
  provideLanguageModelChatResponse(
    model: ModelInformation,
    messages: readonly vscode.LanguageModelChatMessage[],
    options: unknown,
    progress: vscode.Progress<vscode.LanguageModelTextPart>,
  ): Promise<void>;
  provideTokenCount(): Promise<number>;
}

/** A request with the tools that its user has enabled. */
export interface RequestWithTools extends vscode.ChatRequest {
  readonly tools?: ReadonlyMap<vscode.LanguageModelToolInformation, boolean>;
}
