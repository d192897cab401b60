import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type * as vscode from 'vscode';
import { getErrorMessage } from '../../base/errors.ts';
import type { PreparationStep } from './server-preparation.ts';

const NAME = 'redaction-vault-key';

/** The key size of AES-256, which the proxy uses. */
const KEY_BYTES = 32;

/** In milliseconds. Another window may store its key at the same time. */
const DEBOUNCE_MS = 200;

/**
 * The key of the redaction vault. It is created on first use and stored only in VS Code's secret
 * storage. The vault cannot be read with another key.
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
    // If two windows create a key at the same time, the last stored key applies to both.
    await delay(DEBOUNCE_MS);
    return (await this.#storage.get(NAME)) ?? made;
  }
}

/** Passes the vault key to the server, so that redacted values remain readable after its exit. */
export function prepareVaultKey(key: VaultKey, log: (line: string) => void): PreparationStep {
  return async ({ policy }) => {
    // A key in the environment takes precedence.
    if (policy === undefined || process.env.AGENTCORE_VAULT_KEY) return undefined;
    try {
      return { AGENTCORE_VAULT_KEY: await key.get() };
    } catch (thrown) {
      // Without a key, the policy still applies, but the vault lasts only as long as its server.
      log(`The key of the redaction vault cannot be kept: ${getErrorMessage(thrown)}`);
      return undefined;
    }
  };
}

function isKey(text: string): boolean {
  return Buffer.from(text, 'base64').length === KEY_BYTES;
}
