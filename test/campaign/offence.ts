/** Something that must not have happened. */
export interface Offence {
  /** What should have been. */
  readonly rule: string;
  readonly words: string;
  /** The call that it is about. */
  readonly key?: string | undefined;
}
