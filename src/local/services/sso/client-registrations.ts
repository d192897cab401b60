import { randomBytes } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import { NewestByKey } from './newest-by-key.ts';
import type { SsoConfig } from './sso-config.ts';

const MAX_REGISTRATIONS = 10_000;

export const DEVICE_CODE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

export const GRANT_TYPES = ['authorization_code', 'refresh_token', DEVICE_CODE_GRANT] as const;

type GrantType = (typeof GRANT_TYPES)[number];

/** Required scope of a token for the portal API. */
export const ACCOUNT_ACCESS = 'sso:account:access';

/** The registration data of a client. */
export interface ClientMetadata {
  readonly name: string;
  /** Absent: the device flow, plus refresh tokens if the client requests scopes. */
  readonly grantTypes: readonly GrantType[] | undefined;
  readonly scopes: readonly string[] | undefined;
  readonly redirectUris: readonly string[];
}

/** A registered OAuth client. */
export interface Registration {
  readonly id: string;
  readonly secret: string;
  readonly name: string;
  readonly grantTypes: readonly GrantType[];
  readonly scopes: readonly string[];
  readonly redirectUris: readonly string[];
  /** Milliseconds since the epoch, like `expiresAt`. */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** Clients of the identity center. They register themselves and are all public clients. */
export class ClientRegistrations {
  readonly #clients = new NewestByKey<Registration>(MAX_REGISTRATIONS);
  readonly #lifetimeMs: number;
  readonly #clock: Clock;

  constructor(config: SsoConfig, clock: Clock) {
    this.#lifetimeMs = config.registrationDuration * 1000;
    this.#clock = clock;
  }

  add({ name, grantTypes, scopes, redirectUris }: ClientMetadata): Registration {
    const issuedAt = this.#clock.now();
    const client: Registration = {
      id: randomBytes(16).toString('base64url'),
      secret: randomBytes(48).toString('base64url'),
      name,
      // A legacy profile registers without scopes and gets no refresh token [W].
      grantTypes:
        grantTypes ?? (scopes ? [DEVICE_CODE_GRANT, 'refresh_token'] : [DEVICE_CODE_GRANT]),
      scopes: scopes ?? [ACCOUNT_ACCESS],
      redirectUris,
      issuedAt,
      expiresAt: issuedAt + this.#lifetimeMs,
    };
    this.#clients.set(client.id, client);
    return client;
  }

  /** Returns a client with an unexpired registration. */
  find(id: string): Registration | undefined {
    const client = this.#clients.get(id);
    return client && client.expiresAt > this.#clock.now() ? client : undefined;
  }

  /** Like `find`, but also checks the secret. */
  authenticate(id: string, secret: string): Registration | undefined {
    const client = this.find(id);
    return client?.secret === secret ? client : undefined;
  }
}
