import packageJson from '../../package.json' with { type: 'json' };
import type { Log } from '../log.ts';
import type { PolicyPlace } from '../policy/documents/policy-places.ts';
import type { Interceptor } from '../relay/interceptors.ts';

export interface GovernOptions {
  /** Where policy documents may stand; none means that nothing is governed. */
  readonly places: readonly PolicyPlace[];
  /** The ARN or URL of what is called. */
  readonly runtime: string;
  readonly stateFolder: string;
  /** 32 bytes in base64, for a vault of redacted values that outlives the program. */
  readonly vaultKey: string | undefined;
  /** Whether the person before VS Code is asked where the client shows no forms. */
  readonly asksInVsCode: boolean;
  /** The ARN, or the holder of the token, on whose behalf is called. */
  readonly caller: () => Promise<string>;
  readonly log: Log;
}

/** What keeps a conversation within policies, in the order of a request's way to the server. */
export interface Governance {
  readonly interceptors: readonly Interceptor[];
  close(): Promise<void>;
}

/**
 * Audit, decisions and redaction, in this order: the audit sees arguments as they came, the person
 * who is asked sees them too, and whoever stands behind sees what the server may. What the server
 * asks for itself comes from the other end, where an audit is first as well. All of it is loaded
 * only where there is a policy.
 *
 * @throws {AgentCoreError} `config` or `usage` where a vault or salt cannot be had.
 */
export async function govern(options: GovernOptions): Promise<Governance> {
  const { places, runtime, stateFolder, vaultKey, asksInVsCode, log } = options;
  if (places.length === 0) return { interceptors: [], close: async () => undefined };
  const [
    { startPolicy },
    { openRedaction },
    { redactionRules },
    { Audit },
    { AuditInterceptor },
    { auditSalt },
    { nameMask },
    { PendingApprovals },
  ] = await Promise.all([
    import('../policy/start-policy.ts'),
    import('../policy/redaction/open-redaction.ts'),
    import('../policy/redaction-rules.ts'),
    import('../policy/audit/audit.ts'),
    import('../policy/audit/audit-interceptor.ts'),
    import('../policy/audit/audit-folder.ts'),
    import('../policy/audit/name-mask.ts'),
    import('../policy/approvals/pending-approvals.ts'),
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
  const rules = redactionRules(documents);
  const redaction = await openRedaction({
    rules,
    stateFolder,
    vaultKey,
    isOurs: (request) => policy.isOwnQuestion(request),
  });
  const audit = new Audit({
    stateFolder,
    program: 'proxy',
    version: packageJson.version,
    onFailure: (sentence) => log('warning', sentence),
  });
  // Who calls is put on record from the first call on of which that is known.
  void caller().catch(() => undefined);
  const auditing = {
    audit,
    isRequired: () => documents.current().policies.some(({ auditRequired }) => auditRequired),
    runtime,
    caller: () => knownCaller,
    salt: await auditSalt(stateFolder),
    redactedName: await nameMask(rules),
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
