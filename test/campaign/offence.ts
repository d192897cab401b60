/** A violation of a rule. */
export interface Offence {
  /** The rule that was violated. */
  readonly rule: string;
  readonly words: string;
  /** The affected call. */
  readonly key?: string | undefined;
}
