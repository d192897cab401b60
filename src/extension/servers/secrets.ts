import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import { sleep } from '../../base/async.ts';
import { AgentCoreError, getErrorMessage } from '../../base/errors.ts';
import { Settings } from '../settings/contributions.ts';
import type { RuntimeEntry } from '../settings/runtime-entry.ts';
import { isWorkspaceSetting } from '../settings/window-settings.ts';
import type { CommandConsent } from './command-consent.ts';
import type { PreparationStep, StartVariables } from './preparation.ts';

// Secrets in VS Code's secret storage: OAuth client secrets and the key of the redaction vault.

/** Internal command for a button: prompts for a missing client secret. */
export const ENTER_SECRET = '_agentcore.enterClientSecret';

/** The fields of an entry that determine which server receives its secret. */
type SecretOwner = Pick<RuntimeEntry, 'name' | 'target' | 'authorization' | 'endpointUrl'>;

/** The client and the receivers of a secret. `null` for an absent field. */
interface Binding {
  readonly clientId: string;
  readonly tokenUrl: string | null;
  readonly arn: string | null;
  /** If there is no token URL, the response from this address determines it. */
  readonly endpointUrl: string | null;
}

type Lookup =
  | { readonly state: 'usable'; readonly secret: string }
  | { readonly state: 'missing' }
  /** Stored by version 0.1.0, without a binding. */
  | { readonly state: 'unbound' }
  | { readonly state: 'changed'; readonly fields: readonly (keyof Binding)[] };

/**
 * The OAuth client secrets by entry, in VS Code's secret storage only. A secret is bound to the
 * client id, token URL, ARN and endpoint URL at the time of its entry.
 */
export class ClientSecrets {
  readonly #storage: vscode.SecretStorage;

  constructor(storage: vscode.SecretStorage) {
    this.#storage = storage;
  }

  async has(owner: SecretOwner): Promise<boolean> {
    return (await this.get(owner)) !== undefined;
  }

  /**
   * Returns the secret. `undefined` if there is none for exactly this client and these receivers.
   */
  async get(owner: SecretOwner): Promise<string | undefined> {
    const found = await this.find(owner);
    return found.state === 'usable' ? found.secret : undefined;
  }

  async find(owner: SecretOwner): Promise<Lookup> {
    const binding = createBinding(owner);
    const text = await this.#storage.get(getKey(owner.name));
    if (!binding || text === undefined) return { state: 'missing' };
    const stored = parse(text);
    if (!stored) return { state: 'unbound' };
    const fields = FIELDS.filter((field) => stored.binding[field] !== binding[field]);
    return fields.length === 0
      ? { state: 'usable', secret: stored.secret }
      : { state: 'changed', fields };
  }

  /** Does nothing if the entry has no OAuth client. */
  async store(owner: SecretOwner, secret: string): Promise<void> {
    const binding = createBinding(owner);
    if (!binding) return;
    await this.#storage.store(getKey(owner.name), JSON.stringify({ secret, binding }));
  }

  async remove(name: string): Promise<void> {
    await this.#storage.delete(getKey(name));
  }

  async rename(from: string, to: string): Promise<void> {
    if (from === to) return;
    const text = await this.#storage.get(getKey(from));
    if (text === undefined) return;
    await this.#storage.store(getKey(to), text);
    await this.remove(from);
  }
}

const FIELDS = ['clientId', 'tokenUrl', 'arn', 'endpointUrl'] as const;

function getKey(name: string): string {
  return `oauth:${name}`;
}

function createBinding(owner: SecretOwner): Binding | undefined {
  const { authorization, endpointUrl } = owner;
  if (authorization.kind !== 'oauth') return undefined;
  const { clientId, tokenUrl } = authorization;
  return {
    clientId,
    tokenUrl: tokenUrl ?? null,
    arn: getBaseArn(owner) ?? null,
    endpointUrl: endpointUrl ?? null,
  };
}

/**
 * The ARN of the runtime or gateway. The endpoint is omitted, because all endpoints share one
 * authorizer.
 */
function getBaseArn({ target }: SecretOwner): string | undefined {
  switch (target.kind) {
    case 'runtime':
      return target.runtime.arn;
    case 'gateway':
      return target.gateway.arn;
    case 'local':
      return undefined;
  }
}

/** Returns `undefined` for the format of version 0.1.0, which contains only the secret. */
function parse(
  text: string,
): { readonly secret: string; readonly binding: Partial<Binding> } | undefined {
  try {
    const { secret, binding } = JSON.parse(text) ?? {};
    return typeof secret === 'string' && binding ? { secret, binding } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Creates the step for the client secret. The server gets it as a variable.
 *
 * @returns a step. It throws {@link AgentCoreError} `credentials`, with `lacksSecret`, if there is
 *   no secret for the current client and receivers.
 */
export function prepareClientSecret(
  secrets: ClientSecrets,
  consent: Pick<CommandConsent, 'require'>,
): PreparationStep {
  return async (entry) => {
    const { name, authorization } = entry;
    if (authorization.kind !== 'oauth') return undefined;
    const found = await secrets.find(entry);
    if (found.state === 'usable') return { AGENTCORE_OAUTH_CLIENT_SECRET: found.secret };
    if (process.env.AGENTCORE_OAUTH_CLIENT_SECRET) {
      return confirmEnvironmentSecret(entry, consent);
    }
    throw new AgentCoreError('credentials', formatSecretMessage(name, found), {
      data: { lacksSecret: true },
    });
  };
}

/**
 * Checks consent to the use of the secret in the environment. The user must confirm the receiver if
 * the workspace sets it.
 */
function confirmEnvironmentSecret(
  entry: SecretOwner,
  consent: Pick<CommandConsent, 'require'>,
): StartVariables | undefined {
  if (isWorkspaceSetting(Settings.runtimes)) {
    const text = Object.entries(createBinding(entry) ?? {})
      .filter(([, value]) => value !== null)
      .map(([field, value]) => `${field}: ${value}`)
      .join('\n');
    consent.require({ kind: 'environmentSecret', text }, entry.name);
  }
  return undefined;
}

function formatSecretMessage(name: string, found: Lookup): string {
  switch (found.state) {
    case 'unbound':
      return vscode.l10n.t(
        'Could not use the client secret of runtime "{0}": version 0.1.0 stored it without the token URL that it is for. Enter it again.',
        name,
      );
    case 'changed':
      return vscode.l10n.t(
        'Could not use the client secret of runtime "{0}": it was entered for another {1}. Enter the secret again.',
        name,
        found.fields.map(formatFieldName).join(', '),
      );
    default:
      return vscode.l10n.t(
        'Could not start runtime "{0}": its client secret is not stored here. Enter it.',
        name,
      );
  }
}

function formatFieldName(field: keyof Binding): string {
  switch (field) {
    case 'clientId':
      return vscode.l10n.t('client id');
    case 'tokenUrl':
      return vscode.l10n.t('token URL');
    case 'arn':
      return vscode.l10n.t('ARN');
    case 'endpointUrl':
      return vscode.l10n.t('endpoint URL');
  }
}

const NAME = 'redaction-vault-key';

/** Key size of AES-256, the proxy's cipher. */
const KEY_BYTES = 32;

/** Milliseconds until a concurrent write of another window is visible. */
const STORE_DELAY_MS = 200;

/**
 * The key of the redaction vault. It is created on first use and stored only in VS Code's secret
 * storage. Without this key, an existing vault cannot be read.
 */
export class VaultKey {
  readonly #storage: vscode.SecretStorage;
  #key: Promise<string> | undefined;

  constructor(storage: vscode.SecretStorage) {
    this.#storage = storage;
  }

  /** Returns 32 bytes in base64, the same for all windows of the user. */
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
    // If two windows create a key at the same time, both use the last stored one.
    await sleep(STORE_DELAY_MS);
    return (await this.#storage.get(NAME)) ?? made;
  }
}

/**
 * Creates the step for the vault key. The server gets it as a variable. Redacted values then remain
 * readable after its exit.
 */
export function prepareVaultKey(key: VaultKey, log: (line: string) => void): PreparationStep {
  return async ({ policy }) => {
    // A key in the environment takes precedence.
    if (policy === undefined || process.env.AGENTCORE_VAULT_KEY) return undefined;
    try {
      return { AGENTCORE_VAULT_KEY: await key.get() };
    } catch (thrown) {
      // Without a key, the policy still applies, but redacted values are unreadable after the
      // server exits.
      log(`The key of the redaction vault cannot be kept: ${getErrorMessage(thrown)}`);
      return undefined;
    }
  };
}

function isKey(text: string): boolean {
  return Buffer.from(text, 'base64').length === KEY_BYTES;
}
