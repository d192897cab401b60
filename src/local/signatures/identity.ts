/** Whoever signed a request. */
export interface Principal {
  /** The ARN that GetCallerIdentity tells. */
  readonly arn: string;
  readonly account: string;
  /** `AIDA…` of a user, `AROA…:session` of an assumed role. */
  readonly userId: string;
  /** IAM actions that it may not take. */
  readonly denied: readonly string[];
}

export interface AccessKey {
  readonly id: string;
  readonly secret: string;
  readonly sessionToken: string | undefined;
  readonly principal: Principal;
  /** Milliseconds since the epoch; `undefined` never. */
  readonly expiresAt: number | undefined;
}
