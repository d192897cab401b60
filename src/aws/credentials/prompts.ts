/**
 * Prompts for the user. An implementation must limit the time that a prompt stays open. It must not
 * prompt if no user can answer.
 */
export interface CredentialPrompts {
  /**
   * Asks for the current code of an MFA device.
   *
   * @param serial The device's ARN, or its serial number.
   * @throws an error with the reason if there is no code: no user can answer, or the user declined.
   */
  mfaCode(serial: string, signal: AbortSignal): Promise<string>;
  /**
   * Asks for a new login, and resolves when the login is in progress or done.
   *
   * @param reason The cause, and the command for the login.
   * @returns false if no user can answer or the user declined.
   */
  login?(profile: string, reason: string, signal: AbortSignal): Promise<boolean>;
}
