import type { Log } from '../base/logger.ts';
import type { Conversation } from '../relay/conversation.ts';
import type { Interceptor } from '../relay/peer.ts';
import { ToolCatalog } from '../relay/tool-catalog.ts';
import type { StateStore } from '../state/store.ts';
import { StoredApprover } from './approvals/approvers.ts';
import { AuditInterceptor, createNameMask } from './audit-interceptor.ts';
import { PolicyDocumentSet } from './documents/document-set.ts';
import type { PolicyPlace } from './documents/locations.ts';
import { Counters, SpendingReader } from './engine/counters.ts';
import { PolicyInterceptor } from './policy-interceptor.ts';
import { openRedaction } from './redaction/redaction-interceptor.ts';

/** Bytes of the salt of argument hashes. */
const SALT_BYTES = 32;

interface GovernanceOptions {
  /** Possible policy documents. */
  readonly places: readonly PolicyPlace[];
  readonly conversation: Conversation;
  /** ARN or URL of the runtime or gateway. */
  readonly runtime: string;
  readonly tools: ToolCatalog;
  readonly store: StateStore;
  /** 32 bytes in base64. If set, the vault of redacted values outlives the program. */
  readonly vaultKey: string | undefined;
  /** True if the user may approve in VS Code when the client cannot show forms. */
  readonly asksInVsCode: boolean;
  /** The caller's ARN, or the subject of the bearer token. Cached. */
  readonly caller: () => Promise<string>;
  readonly log: Log;
}

/**
 * Creates a conversation's interceptors for audit, policy and redaction, in this order. The audit
 * and the approving user get the original arguments, and the server gets redacted ones. Server
 * requests pass in reverse order, so the last interceptor audits them. Programs import this file
 * only if there may be a policy.
 *
 * @throws {AgentCoreError} `config` if a document can never be one, such as a FIFO, or if the vault
 *   or the salt is unusable; `usage` if the vault key is invalid.
 */
export async function createGovernance(
  options: GovernanceOptions,
): Promise<readonly Interceptor[]> {
  const { places, conversation, runtime, tools, store, vaultKey, asksInVsCode, log } = options;
  let knownCaller: string | undefined;
  const caller = async () => {
    knownCaller = await options.caller();
    return knownCaller;
  };
  const documents = new PolicyDocumentSet(places, log);
  documents.start();
  const rules = () => documents.getRedactionRules();
  const spending = new SpendingReader(store.journal, Date.now);
  const prompts = new ToolCatalog('prompts/list');
  const policy = new PolicyInterceptor({
    current: () => documents.current(),
    counters: new Counters(store.counters, Date.now),
    runtime,
    catalogs: { tool: tools, prompt: prompts },
    conversation,
    caller,
    spent: (window) => spending.in(window),
    approver: asksInVsCode
      ? new StoredApprover(store.approvals, () => rules().length > 0)
      : undefined,
  });
  const redaction = await openRedaction({
    rules,
    store,
    vaultKey,
    isOurs: (request) => policy.isOwnRequest(request),
  });
  // Look up the caller now, so the first audit records contain it.
  void caller().catch(() => undefined);
  const auditing = {
    audit: store.audit,
    isRequired: () => documents.current().policies.some(({ auditRequired }) => auditRequired),
    runtime,
    caller: () => knownCaller,
    salt: await store.getOrCreateSecret('audit-salt', SALT_BYTES),
    redactedName: await createNameMask(rules),
  };
  return [
    new AuditInterceptor({ ...auditing, from: 'client' }),
    policy,
    prompts,
    redaction,
    new AuditInterceptor({ ...auditing, from: 'server' }),
  ];
}
