/** What a person has to type, and where, to sign in with a code. */
export interface SignInCode {
  readonly userCode: string;
  /** The page to type it on. */
  readonly verificationUri: string;
  /** The same page with the code filled in, where there is one. */
  readonly verificationUriComplete: string | undefined;
  readonly expiresAt: Date;
}

/**
 * How a login talks with the person it is for. The command line prints, the extension shows; a
 * login itself does neither.
 */
export interface LoginPrompts {
  /** Shows the page. False where it could not be shown: the login goes on with a code then. */
  openBrowser(url: string): Promise<boolean>;
  /** Shows the code. The login waits for its confirmation meanwhile, not for this to return. */
  showCode(code: SignInCode): Promise<void> | void;
  /** A short sentence on what is going on, without a full stop. */
  progress(sentence: string): void;
}
