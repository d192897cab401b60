/** The conditions of a statement: operator, key, values. */
export type Conditions = Readonly<
  Record<string, Readonly<Record<string, string | readonly string[]>>>
>;

interface StatementBase {
  /** Only letters and digits: IAM accepts nothing else here. */
  readonly Sid: string;
  readonly Effect: 'Allow';
  readonly Action: string | readonly string[];
  readonly Condition?: Conditions;
}

/** A statement of an identity-based policy. */
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

/** Creates a document with statements sorted by Sid, so that the same needs give the same text. */
export function createPolicyDocument<S extends StatementBase>(
  statements: readonly S[],
): PolicyDocument<S> {
  const sorted = [...statements].sort((one, other) => (one.Sid < other.Sid ? -1 : 1));
  return { Version: '2012-10-17', Statement: sorted };
}

export function createAllowStatement(
  sid: string,
  actions: readonly string[],
  resources: readonly string[],
  condition?: Conditions,
): Statement {
  return {
    Sid: sid,
    Effect: 'Allow',
    Action: toPolicyValue(actions),
    Resource: toPolicyValue(resources),
    ...(condition && { Condition: condition }),
  };
}

/** Removes duplicates and sorts. Returns a string for a single value, as is usual in policies. */
export function toPolicyValue(values: readonly string[]): string | readonly string[] {
  const sorted = [...new Set(values)].sort();
  return sorted.length === 1 ? (sorted[0] as string) : sorted;
}
