/**
 * What only a person can bring. Whoever implements it bounds the time that a question stays open,
 * and asks nothing that nobody could answer.
 */
export interface CredentialPrompts {
  /**
   * Asks for the code that an MFA device shows now.
   *
   * @param serial The device's ARN, or its serial number.
   * @throws an error that says why there is no code: nobody can be asked, or nobody wanted to answer.
   */
  mfaCode(serial: string, signal: AbortSignal): Promise<string>;
  /**
   * Asks for a new login, and resolves once that is under way or done.
   *
   * @param reason The sentence that says what is missing, and by which command it comes.
   * @returns false where nobody can be asked, or nobody wants to.
   */
  login?(profile: string, reason: string, signal: AbortSignal): Promise<boolean>;
}
