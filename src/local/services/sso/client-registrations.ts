import { randomBytes } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import { NewestByKey } from './newest-by-key.ts';
import type { SsoConfig } from './sso-config.ts';

const MAX_REGISTRATIONS = 10_000;

export const DEVICE_CODE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
export const GRANT_TYPES = ['authorization_code', 'refresh_token', DEVICE_CODE_GRANT] as const;
type GrantType = (typeof GRANT_TYPES)[number];

/** What the portal's operations want of a token. */
export const ACCOUNT_ACCESS = 'sso:account:access';

/** What a program says of itself. */
export interface ClientMetadata {
  readonly name: string;
  /** Absent: the device flow, and refreshing where the client asks for scopes. */
  readonly grantTypes: readonly GrantType[] | undefined;
  readonly scopes: readonly string[] | undefined;
  readonly redirectUris: readonly string[];
}

/** A program that may ask people to sign in. */
export interface Registration {
  readonly id: string;
  readonly secret: string;
  readonly name: string;
  readonly grantTypes: readonly GrantType[];
  readonly scopes: readonly string[];
  readonly redirectUris: readonly string[];
  /** Milliseconds since the epoch, as all times here. */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** The clients of the identity center. They register by themselves, and none is confidential. */
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
      // A legacy profile registers without scopes, and its sign-in cannot be refreshed [W].
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

  /** A client whose registration is good. */
  find(id: string): Registration | undefined {
    const client = this.#clients.get(id);
    return client && client.expiresAt > this.#clock.now() ? client : undefined;
  }

  /** The same, where it knows its secret. */
  authenticate(id: string, secret: string): Registration | undefined {
    const client = this.find(id);
    return client?.secret === secret ? client : undefined;
  }
}
