/** The code for a sign-in and the page to enter it on. */
export interface SignInCode {
  readonly userCode: string;
  readonly verificationUri: string;
  /** The same page with the code filled in, if available. */
  readonly verificationUriComplete: string | undefined;
  readonly expiresAt: Date;
}

/**
 * User interaction of a login. The CLI prints messages, and the extension shows them. The login
 * itself does neither.
 */
export interface LoginPrompts {
  /** Opens the page. Returns false if it could not be opened, and the login then uses a code. */
  openBrowser(url: string): Promise<boolean>;
  /** Shows the code. The login polls for confirmation and does not wait for this call. */
  showCode(code: SignInCode): Promise<void> | void;
  /** Shows a short progress sentence, without a full stop. */
  progress(sentence: string): void;
}
