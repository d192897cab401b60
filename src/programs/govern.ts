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

/** Policy interceptors of a conversation, in a request's order from the client to the server. */
interface Governance {
  readonly interceptors: readonly Interceptor[];
  close(): Promise<void>;
}

/**
 * Creates audit, policy and redaction, in this order. The audit and the approving user see the
 * original arguments, while the server only receives redacted ones. Requests from the server pass
 * in reverse, so the last interceptor is an audit too. Loads these modules only if there is a
 * policy.
 *
 * @throws {AgentCoreError} `config` or `usage` if the vault or the salt is unavailable.
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
    isOurs: (request) => policy.isOwnQuestion(request),
  });
  const audit = new AuditLog({
    stateFolder,
    program: 'proxy',
    version: packageJson.version,
    onFailure: (sentence) => log('warning', sentence),
  });
  // Records contain the caller from the first call after it is known.
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
