import { hkdfSync } from 'node:crypto';
import { join } from 'node:path';
import { AgentCoreError } from '../../error.ts';
import type { JsonRpcRequest } from '../../mcp/message.ts';
import { getOrCreateAuditSalt } from '../audit/audit-folder.ts';
import { EncryptedVault } from './encrypted-vault.ts';
import { RedactionInterceptor } from './redaction-interceptor.ts';
import { Redactor } from './redactor.ts';
import type { RedactionRules } from './rules.ts';
import { MemoryVault } from './vault.ts';

export interface RedactionOptions {
  /**
   * The rules of all policies in force for the runtime. Returns the same list until they change.
   */
  readonly rules: () => readonly RedactionRules[];
  readonly stateFolder: string;
  /** 32 bytes in base64. If set, the vault is on disk and outlives the program. */
  readonly vaultKey?: string | undefined;
  /**
   * Whether a request to the client is an approval question of the policy about the client's own
   * data.
   */
  readonly isOurs?: (request: JsonRpcRequest) => boolean;
}

interface Redaction {
  readonly interceptor: RedactionInterceptor;
  /** Closes the vault. Values whose tokens were sent are already on disk. */
  close(): Promise<void>;
}

/**
 * Creates the redaction for one conversation. Its salt belongs to the user, so that equal values
 * have equal hashes in all programs.
 *
 * @throws {AgentCoreError} `config` if a rule cannot be used, or if the salt or the vault cannot be
 *   stored; `usage` if the key is invalid.
 */
export async function openRedaction(options: RedactionOptions): Promise<Redaction> {
  const { rules, stateFolder, vaultKey } = options;
  const key = vaultKey === undefined ? undefined : parseVaultKey(vaultKey);
  const salt = deriveKey(key ?? (await getOrCreateAuditSalt(stateFolder)), 'redaction salt');
  const vault = key
    ? await EncryptedVault.open({
        folder: join(stateFolder, 'vault'),
        key: deriveKey(key, 'redaction vault'),
      })
    : new MemoryVault();
  const close = async () => {
    if (vault instanceof EncryptedVault) await vault.close();
  };
  const getRedactor = createRedactorGetter(rules, (of) =>
    Redactor.create({ rules: of, vault, salt }),
  );
  try {
    await getRedactor();
  } catch (thrown) {
    await close();
    throw thrown;
  }
  return { interceptor: new RedactionInterceptor(getRedactor, options.isOurs), close };
}

/** Returns the redactor for the rules in force, or undefined if there were never any. */
function createRedactorGetter(
  rules: () => readonly RedactionRules[],
  create: (rules: readonly RedactionRules[]) => Promise<Redactor>,
): () => Promise<Redactor | undefined> {
  let of: readonly RedactionRules[] = [];
  let redactor: Promise<Redactor> | undefined;
  return async () => {
    const now = rules();
    if (now !== of && (now.length > 0 || redactor)) {
      of = now;
      redactor = create(now);
    }
    return redactor;
  };
}

function parseVaultKey(text: string): Buffer {
  const key = Buffer.from(text, 'base64');
  if (key.length === 32) return key;
  throw new AgentCoreError(
    'usage',
    'The key of the redaction vault must be 32 bytes in base64; `openssl rand -base64 32` makes one',
  );
}

function deriveKey(secret: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `agentcore-mcp ${purpose}`, 32));
}
