/** The caller that signed a request. */
export interface Principal {
  /** As returned by GetCallerIdentity. */
  readonly arn: string;
  readonly account: string;
  /** `AIDA…` for a user, `AROA…:session` for an assumed role. */
  readonly userId: string;
  /** IAM actions allowed by its policies. Absent: all actions. */
  readonly allowed?: readonly string[] | undefined;
  /** IAM actions explicitly denied by its policies. */
  readonly denied: readonly string[];
  /** Role ARN of a role session. Policies name this ARN. */
  readonly roleArn?: string | undefined;
  /** Source identity of a role session, if a caller set one. Role chaining keeps it. */
  readonly sourceIdentity?: string | undefined;
}

export interface AccessKey {
  readonly id: string;
  readonly secret: string;
  readonly sessionToken: string | undefined;
  readonly principal: Principal;
  /** Milliseconds since the epoch; `undefined` if it never expires. */
  readonly expiresAt: number | undefined;
}
