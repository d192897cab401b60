import * as vscode from 'vscode';
import { AgentCoreError } from '../../error.ts';
import type { PreparationStep } from '../servers/server-preparation.ts';

/** The command of a button that asks for the secret which an entry lacks; nobody else runs it. */
export const ENTER_SECRET = '_agentcore.enterClientSecret';

/** The secrets of OAuth clients, by entry, in VS Code's secret storage and nowhere else. */
export class ClientSecrets {
  readonly #storage: vscode.SecretStorage;

  constructor(storage: vscode.SecretStorage) {
    this.#storage = storage;
  }

  async has(name: string): Promise<boolean> {
    return (await this.get(name)) !== undefined;
  }

  async get(name: string): Promise<string | undefined> {
    return this.#storage.get(keyOf(name));
  }

  async store(name: string, secret: string): Promise<void> {
    await this.#storage.store(keyOf(name), secret);
  }

  async remove(name: string): Promise<void> {
    await this.#storage.delete(keyOf(name));
  }

  async rename(from: string, to: string): Promise<void> {
    const secret = await this.get(from);
    if (secret === undefined || from === to) return;
    await this.store(to, secret);
    await this.remove(from);
  }
}

function keyOf(name: string): string {
  return `oauth:${name}`;
}

/**
 * Hands a server its client's secret when it starts.
 *
 * @returns a step that throws {@link AgentCoreError} `credentials`, with `lacksSecret`, where none is
 *   stored: settings come from another machine without it.
 */
export function prepareClientSecret(secrets: ClientSecrets): PreparationStep {
  return async ({ name, authorization }) => {
    if (authorization.kind !== 'oauth') return undefined;
    const secret = await secrets.get(name);
    if (secret !== undefined) return { AGENTCORE_OAUTH_CLIENT_SECRET: secret };
    // Whoever keeps it in the environment needs none of ours.
    if (process.env.AGENTCORE_OAUTH_CLIENT_SECRET) return undefined;
    throw new AgentCoreError(
      'credentials',
      vscode.l10n.t('The client secret of runtime "{0}" is not stored here: enter it', name),
      { data: { lacksSecret: true } },
    );
  };
}
