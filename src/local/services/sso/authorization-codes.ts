import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import type { Registration } from './client-registrations.ts';
import { NewestByKey } from './newest-by-key.ts';
import type { SsoConfig } from './sso-config.ts';

const MAX_CODES = 10_000;

/** A request approved by the user in the browser. */
interface ApprovedRequest {
  readonly client: Registration;
  readonly user: string;
  readonly scopes: readonly string[];
  /** Includes the port. The client must repeat it exactly. */
  readonly redirectUri: string;
  /** PKCE code challenge, method S256. */
  readonly codeChallenge: string;
}

/** Authorization codes, each valid for one exchange. */
export class AuthorizationCodes {
  readonly #codes = new NewestByKey<ApprovedRequest & { readonly expiresAt: number }>(MAX_CODES);
  readonly #lifetimeMs: number;
  readonly #clock: Clock;

  constructor(config: SsoConfig, clock: Clock) {
    this.#lifetimeMs = config.codeDuration * 1000;
    this.#clock = clock;
  }

  issue(request: ApprovedRequest): string {
    const code = randomBytes(32).toString('base64url');
    this.#codes.set(code, { ...request, expiresAt: this.#clock.now() + this.#lifetimeMs });
    return code;
  }

  /**
   * Returns the approved request. Every attempt uses up the code, even with a wrong client or
   * verifier.
   */
  redeem(
    code: string,
    client: Registration,
    redirectUri: string,
    codeVerifier: string,
  ): ApprovedRequest | undefined {
    const approved = this.#codes.get(code);
    this.#codes.delete(code);
    const good =
      approved !== undefined &&
      approved.expiresAt > this.#clock.now() &&
      approved.client.id === client.id &&
      approved.redirectUri === redirectUri &&
      approved.codeChallenge === createHash('sha256').update(codeVerifier).digest('base64url');
    return good ? approved : undefined;
  }
}
