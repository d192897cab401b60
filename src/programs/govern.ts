import packageJson from '../../package.json' with { type: 'json' };
import type { Log } from '../base/logger.ts';
import type { PolicyPlace } from '../policy/documents/locations.ts';
import type { Interceptor } from '../relay/peer.ts';

interface GovernanceOptions {
  /** Possible policy documents. If empty, no policy applies. */
  readonly places: readonly PolicyPlace[];
  /** ARN or URL of the runtime or gateway. */
  readonly runtime: string;
  readonly stateFolder: string;
  /** 32 bytes in base64, for a vault of redacted values that outlives the program. */
  readonly vaultKey: string | undefined;
  /** True if the user may approve in VS Code when the client cannot show forms. */
  readonly asksInVsCode: boolean;
  /** The caller's ARN, or the subject of the bearer token. */
  readonly caller: () => Promise<string>;
  readonly log: Log;
}

/** Policy interceptors of a conversation, in the order of a client request. */
interface Governance {
  readonly interceptors: readonly Interceptor[];
  close(): Promise<void>;
}

/**
 * Creates the interceptors for audit, policy and redaction, in this order. The audit and the
 * approving user get the original arguments, and the server gets redacted ones. Server requests
 * pass in reverse order, so the last interceptor audits them. Loads these modules only if there is
 * a policy.
 *
 * @throws {AgentCoreError} `config` if a document, the vault or the salt is unusable; `usage` if
 *   the vault key is invalid.
 */
export async function createGovernance(options: GovernanceOptions): Promise<Governance> {
  const { places, runtime, stateFolder, vaultKey, asksInVsCode, log } = options;
  if (places.length === 0) return { interceptors: [], close: async () => undefined };
  const [
    { startPolicy },
    { openRedaction },
    { createRedactionRulesReader },
    { AuditLog, getOrCreateAuditSalt },
    { AuditInterceptor, createNameMask },
    { PendingApprovals },
  ] = await Promise.all([
    import('../policy/governance.ts'),
    import('../policy/redaction/redaction-interceptor.ts'),
    import('../policy/redaction/redactor.ts'),
    import('../state/audit/audit-log.ts'),
    import('../policy/audit-interceptor.ts'),
    import('../policy/approvals/stored-approver.ts'),
  ]);
  let knownCaller: string | undefined;
  const caller = async () => {
    knownCaller ??= await options.caller();
    return knownCaller;
  };
  const hidesValues = () => rules().length > 0;
  const inVsCode = new PendingApprovals({ stateFolder, hidesValues, now: Date.now });
  const { interceptor: policy, documents } = startPolicy({
    places,
    runtime,
    stateFolder,
    caller,
    approver: asksInVsCode ? inVsCode : undefined,
    log,
  });
  const rules = createRedactionRulesReader(documents);
  const redaction = await openRedaction({
    rules,
    stateFolder,
    vaultKey,
    isOurs: (request) => policy.isOwnRequest(request),
  });
  const audit = new AuditLog({
    stateFolder,
    program: 'proxy',
    version: packageJson.version,
    onFailure: (sentence) => log('warning', sentence),
  });
  // Look up the caller now, so the first audit records contain it.
  void caller().catch(() => undefined);
  const auditing = {
    audit,
    isRequired: () => documents.current().policies.some(({ auditRequired }) => auditRequired),
    runtime,
    caller: () => knownCaller,
    salt: await getOrCreateAuditSalt(stateFolder),
    redactedName: await createNameMask(rules),
  };
  return {
    interceptors: [
      new AuditInterceptor({ ...auditing, from: 'client' }),
      policy,
      redaction.interceptor,
      new AuditInterceptor({ ...auditing, from: 'server' }),
    ],
    close: async () => {
      await audit.close();
      await redaction.close();
    },
  };
}
