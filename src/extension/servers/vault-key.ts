import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type * as vscode from 'vscode';
import { messageOf } from '../../error.ts';
import type { PreparationStep } from './server-preparation.ts';

const NAME = 'redaction-vault-key';
/** What the proxy takes: AES-256's. */
const KEY_BYTES = 32;
/** Milliseconds in which another window that has begun at the same time has stored its own. */
const SETTLE = 200;

/**
 * The key of the redaction vault, in VS Code's secret storage and nowhere else; made when it is
 * first needed. Whoever has another one cannot read what is in the vault.
 */
export class VaultKey {
  readonly #storage: vscode.SecretStorage;
  #key: Promise<string> | undefined;

  constructor(storage: vscode.SecretStorage) {
    this.#storage = storage;
  }

  /** 32 bytes in base64, the same for all windows of the user. */
  get(): Promise<string> {
    this.#key ??= this.#read().catch((thrown) => {
      this.#key = undefined;
      throw thrown;
    });
    return this.#key;
  }

  async #read(): Promise<string> {
    const kept = await this.#storage.get(NAME);
    if (kept !== undefined && isKey(kept)) return kept;
    const made = randomBytes(KEY_BYTES).toString('base64');
    await this.#storage.store(NAME, made);
    // Where two windows make one at once, the last one holds for both.
    await delay(SETTLE);
    return (await this.#storage.get(NAME)) ?? made;
  }
}

/** Has what a policy replaces outlive the server that replaced it. */
export function prepareVaultKey(key: VaultKey, log: (line: string) => void): PreparationStep {
  return async ({ policy }) => {
    // Whoever keeps a key in the environment means that one.
    if (policy === undefined || process.env.AGENTCORE_VAULT_KEY) return undefined;
    try {
      return { AGENTCORE_VAULT_KEY: await key.get() };
    } catch (thrown) {
      // Without one the policy holds all the same, and the vault ends with its server.
      log(`The key of the redaction vault cannot be kept: ${messageOf(thrown)}`);
      return undefined;
    }
  };
}

function isKey(text: string): boolean {
  return Buffer.from(text, 'base64').length === KEY_BYTES;
}
