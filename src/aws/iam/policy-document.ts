/** The conditions of a statement: operator, key, values. */
export type Conditions = Readonly<
  Record<string, Readonly<Record<string, string | readonly string[]>>>
>;

interface StatementBase {
  /** Letters and digits alone: IAM takes nothing else here. */
  readonly Sid: string;
  readonly Effect: 'Allow';
  readonly Action: string | readonly string[];
  readonly Condition?: Conditions;
}

/** A statement of a policy that hangs on a user or a role. */
export interface Statement extends StatementBase {
  readonly Resource: string | readonly string[];
}

/** A statement of a role's trust policy. */
export interface TrustStatement extends StatementBase {
  readonly Principal: { readonly AWS: string };
}

export interface PolicyDocument<S extends StatementBase = Statement> {
  readonly Version: '2012-10-17';
  readonly Statement: readonly S[];
}

export type TrustPolicy = PolicyDocument<TrustStatement>;

/** Statements as a document, by their Sids, so that the same needs always read the same. */
export function policyOf<S extends StatementBase>(statements: readonly S[]): PolicyDocument<S> {
  const sorted = [...statements].sort((one, other) => (one.Sid < other.Sid ? -1 : 1));
  return { Version: '2012-10-17', Statement: sorted };
}

export function allow(
  sid: string,
  actions: readonly string[],
  resources: readonly string[],
  condition?: Conditions,
): Statement {
  return {
    Sid: sid,
    Effect: 'Allow',
    Action: oneOrAll(actions),
    Resource: oneOrAll(resources),
    ...(condition && { Condition: condition }),
  };
}

/** Without repetitions, sorted; a single one by itself, as people write it. */
export function oneOrAll(values: readonly string[]): string | readonly string[] {
  const sorted = [...new Set(values)].sort();
  return sorted.length === 1 ? (sorted[0] as string) : sorted;
}
