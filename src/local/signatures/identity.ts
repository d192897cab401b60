/** Whoever signed a request. */
export interface Principal {
  /** The ARN that GetCallerIdentity tells. */
  readonly arn: string;
  readonly account: string;
  /** `AIDA…` of a user, `AROA…:session` of an assumed role. */
  readonly userId: string;
  /** IAM actions that its policies allow; absent, all of them. */
  readonly allowed?: readonly string[] | undefined;
  /** IAM actions that its policies explicitly deny. */
  readonly denied: readonly string[];
  /** Of a session: the ARN of its role, which is what policies name. */
  readonly roleArn?: string | undefined;
  /** Of a session: who began the chain of roles, where that was said. */
  readonly sourceIdentity?: string | undefined;
}

export interface AccessKey {
  readonly id: string;
  readonly secret: string;
  readonly sessionToken: string | undefined;
  readonly principal: Principal;
  /** Milliseconds since the epoch; `undefined` never. */
  readonly expiresAt: number | undefined;
}
