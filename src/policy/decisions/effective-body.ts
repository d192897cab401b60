import type { Policy, PolicyBody } from '../documents/policy.ts';

/** The runtime and caller of a message. */
export interface RuleScope {
  readonly runtime: string;
  readonly caller: string | undefined;
}

/** Maximum callers of one proxy; more would indicate invented identities. */
const MAX_PARTIES = 100;

const bodies = new WeakMap<Policy, Map<string, PolicyBody>>();

/** The rules of a document for one runtime and caller: its own and those of matching sections. */
export function resolveRules(policy: Policy, party: RuleScope): PolicyBody {
  if (policy.sections.length === 0) return policy.body;
  const known = bodies.get(policy) ?? new Map<string, PolicyBody>();
  bodies.set(policy, known);
  const key = `${party.runtime} ${party.caller}`;
  const body = known.get(key) ?? mergeSections(policy, party);
  if (known.size >= MAX_PARTIES) known.clear();
  known.set(key, body);
  return body;
}

function mergeSections({ body, sections }: Policy, { runtime, caller }: RuleScope): PolicyBody {
  const names = {
    runtimes: getRuntimeNames(runtime),
    callers: caller ? getCallerNames(caller) : [],
  };
  const fitting = sections.filter(({ of, matching }) =>
    matching.some((pattern) => names[of].some((name) => pattern.matches(name))),
  );
  const all = [body, ...fitting];
  const defaults = fitting.flatMap((section) => section.default ?? []);
  const catalogs = all.flatMap(({ catalog }) => catalog ?? []);
  return {
    // The default of a section overrides the document's. If several sections match, the strictest
    // default applies.
    default: defaults.find(({ effect }) => effect === 'deny') ?? defaults[0] ?? body.default,
    // The catalog of the last matching section applies, or the document's if none has one.
    catalog: catalogs.at(-1),
    hidden: all.flatMap(({ hidden }) => hidden),
    billable: all.flatMap(({ billable }) => billable),
    approve: all.flatMap(({ approve }) => approve),
    entries: all.flatMap(({ entries }) => entries),
    budgets: all.flatMap(({ budgets }) => budgets),
  };
}

/** The ARN, the ID, and the name at the start of the ID. */
function getRuntimeNames(arn: string): string[] {
  const id = arn.split('/')[1] ?? arn;
  return [arn, id, id.replace(/-[A-Za-z0-9]{10}$/, '')];
}

/** The ARN from STS. For an assumed role, also the ARN of the role. */
function getCallerNames(arn: string): string[] {
  const match = /^(arn:[^:]+):sts::(\d+):assumed-role\/(.+)\/[^/]+$/.exec(arn);
  return match ? [arn, `${match[1]}:iam::${match[2]}:role/${match[3]}`] : [arn];
}
