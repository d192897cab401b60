import type { Policy, PolicyBody } from '../documents/policy.ts';

/** Whom a document is read for. */
export interface Party {
  readonly runtime: string;
  readonly caller: string | undefined;
}

/** Callers of one proxy; more would mean that their identity is invented. */
const MOST_PARTIES = 100;

const bodies = new WeakMap<Policy, Map<string, PolicyBody>>();

/** What a document says for one runtime and caller: its own rules and those of the sections that fit. */
export function effectiveBody(policy: Policy, party: Party): PolicyBody {
  if (policy.sections.length === 0) return policy.body;
  const known = bodies.get(policy) ?? new Map<string, PolicyBody>();
  bodies.set(policy, known);
  const key = `${party.runtime} ${party.caller}`;
  const body = known.get(key) ?? merged(policy, party);
  if (known.size >= MOST_PARTIES) known.clear();
  known.set(key, body);
  return body;
}

function merged({ body, sections }: Policy, { runtime, caller }: Party): PolicyBody {
  const names = { runtimes: runtimeNames(runtime), callers: caller ? callerNames(caller) : [] };
  const fitting = sections.filter(({ of, matching }) =>
    matching.some((pattern) => names[of].some((name) => pattern.matches(name))),
  );
  const all = [body, ...fitting];
  const defaults = fitting.flatMap((section) => section.default ?? []);
  const catalogs = all.flatMap(({ catalog }) => catalog ?? []);
  return {
    // A section's word goes before the document's; of several sections, the strictest.
    default: defaults.find(({ effect }) => effect === 'deny') ?? defaults[0] ?? body.default,
    // The most special catalog holds: the last section's.
    catalog: catalogs.at(-1),
    hidden: all.flatMap(({ hidden }) => hidden),
    billable: all.flatMap(({ billable }) => billable),
    approve: all.flatMap(({ approve }) => approve),
    entries: all.flatMap(({ entries }) => entries),
    budgets: all.flatMap(({ budgets }) => budgets),
  };
}

/** The ARN, the id, and the name that the id begins with. */
function runtimeNames(arn: string): string[] {
  const id = arn.split('/')[1] ?? arn;
  return [arn, id, id.replace(/-[A-Za-z0-9]{10}$/, '')];
}

/** The ARN as STS tells it, and for an assumed role also that of the role. */
function callerNames(arn: string): string[] {
  const match = /^(arn:[^:]+):sts::(\d+):assumed-role\/(.+)\/[^/]+$/.exec(arn);
  return match ? [arn, `${match[1]}:iam::${match[2]}:role/${match[3]}`] : [arn];
}
