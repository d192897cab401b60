import { createHash, randomBytes, randomInt } from 'node:crypto';
import type { SsoConfig } from '../../config/identity-schema.ts';
import type { Switches } from '../../config/switches.ts';
import type { Clock } from '../../core/clock.ts';
import { NewestByKey } from '../../core/history.ts';

// The state of the identity center: sign-ins, device codes, authorization codes and clients.

const MAX_TOKENS = 10_000;

/** A sign-in of a user with one client. If it ends, all its tokens become invalid. */
interface SignIn {
  readonly user: string;
  readonly client: Registration;
  readonly scopes: readonly string[];
  readonly expiresAt: number;
  ended: boolean;
}

interface AccessToken {
  readonly signIn: SignIn;
  readonly issuedAt: number;
  readonly expiresAt: number;
}

export interface IssuedTokens {
  readonly accessToken: string;
  readonly refreshToken: string | undefined;
  /** Whole seconds. */
  readonly expiresIn: number;
}

/** A valid access token, without its value. */
export interface LiveToken {
  readonly user: string;
  /** Registered name of the client. */
  readonly client: string;
  readonly scopes: readonly string[];
  readonly refreshable: boolean;
  /** Milliseconds since the epoch. */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** Sign-ins and their tokens. */
class SignIns {
  readonly #accessTokens = new NewestByKey<AccessToken>(MAX_TOKENS);
  readonly #refreshTokens = new NewestByKey<SignIn>(MAX_TOKENS);
  readonly #config: SsoConfig;
  readonly #mode: Switches['ssoRefreshTokens'];
  readonly #clock: Clock;

  constructor(config: SsoConfig, { ssoRefreshTokens }: Switches, clock: Clock) {
    this.#config = config;
    this.#mode = ssoRefreshTokens;
    this.#clock = clock;
  }

  start(user: string, client: Registration, scopes: readonly string[]): IssuedTokens {
    const signIn: SignIn = {
      user,
      client,
      scopes,
      expiresAt: this.#clock.now() + this.#config.sessionDuration * 1000,
      ended: false,
    };
    const refreshToken = mayRefresh(client) ? this.#newRefreshToken(signIn) : undefined;
    return { ...this.#newAccessToken(signIn), refreshToken };
  }

  /** Issues new tokens for a sign-in. `undefined` if it has ended or belongs to another client. */
  refresh(token: string, client: Registration): IssuedTokens | undefined {
    const signIn = this.#refreshTokens.get(token);
    if (!signIn || signIn.client.id !== client.id || !this.#isLive(signIn)) return undefined;
    let refreshToken: string | undefined = token;
    if (this.#mode === 'omit') refreshToken = undefined;
    else if (this.#mode === 'rotate') {
      this.#refreshTokens.delete(token);
      refreshToken = this.#newRefreshToken(signIn);
    }
    return { ...this.#newAccessToken(signIn), refreshToken };
  }

  /**
   * Returns the user of an access token. `undefined` if the token is invalid or lacks the scope.
   */
  findUser(token: string, scope: string): string | undefined {
    const accessToken = this.#accessTokens.get(token);
    if (!accessToken || !this.#isGood(accessToken)) return undefined;
    const { user, scopes } = accessToken.signIn;
    return scopes.includes(scope) ? user : undefined;
  }

  /** Ends the sign-in to which an access token belongs. */
  end(token: string): void {
    const accessToken = this.#accessTokens.get(token);
    if (accessToken) accessToken.signIn.ended = true;
  }

  /** Ends all sign-ins of a user. Returns their number. */
  revoke(user: string): number {
    const signIns = new Set([
      ...this.#accessTokens.all().map(({ signIn }) => signIn),
      ...this.#refreshTokens.all(),
    ]);
    const live = [...signIns].filter((signIn) => signIn.user === user && this.#isLive(signIn));
    for (const signIn of live) signIn.ended = true;
    return live.length;
  }

  live(): LiveToken[] {
    return this.#accessTokens
      .all()
      .filter((token) => this.#isGood(token))
      .map(({ signIn: { user, client, scopes }, issuedAt, expiresAt }) => ({
        user,
        client: client.name,
        scopes,
        refreshable: mayRefresh(client),
        issuedAt,
        expiresAt,
      }));
  }

  #newAccessToken(signIn: SignIn): Pick<IssuedTokens, 'accessToken' | 'expiresIn'> {
    const issuedAt = this.#clock.now();
    const wanted = mayRefresh(signIn.client)
      ? issuedAt + this.#config.accessTokenDuration * 1000
      : signIn.expiresAt;
    const expiresAt = Math.min(wanted, signIn.expiresAt);
    const accessToken = `aoaAAAAA${randomBytes(96).toString('base64url')}`;
    this.#accessTokens.set(accessToken, { signIn, issuedAt, expiresAt });
    return { accessToken, expiresIn: Math.ceil((expiresAt - issuedAt) / 1000) };
  }

  #newRefreshToken(signIn: SignIn): string {
    const token = `aorAAAAA${randomBytes(96).toString('base64url')}`;
    this.#refreshTokens.set(token, signIn);
    return token;
  }

  #isLive({ ended, expiresAt }: SignIn): boolean {
    return !ended && expiresAt > this.#clock.now();
  }

  #isGood({ signIn, expiresAt }: AccessToken): boolean {
    return this.#isLive(signIn) && expiresAt > this.#clock.now();
  }
}

function mayRefresh(client: Registration): boolean {
  return client.grantTypes.includes('refresh_token');
}

const MAX_AUTHORIZATIONS = 10_000;

/**
 * Milliseconds. After each SlowDown, client and server add them to the polling interval (RFC 8628).
 */
const SLOW_DOWN_MS = 5000;

/** Tolerance for early polls, because network delay varies and timers can fire early. */
const TOLERANCE_MS = 100;

/** Letters of a user code. Without vowels, so that no words result (RFC 8628). */
const USER_CODE_LETTERS = 'BCDFGHJKLMNPQRSTVWXZ';

/** The codes of a device, and the client that requested them. */
export interface DeviceAuthorization {
  readonly deviceCode: string;
  readonly userCode: string;
  readonly client: Registration;
  readonly expiresAt: number;
}

type Decision = { readonly user: string } | 'denied';

interface Entry extends DeviceAuthorization {
  intervalMs: number;
  polledAt: number | undefined;
  decision: Decision | undefined;
}

/** The outcome of a token request by a device. */
type DevicePoll = Decision | 'unknown' | 'expired' | 'pending' | 'slow-down';

class DeviceAuthorizations {
  readonly #entries = new NewestByKey<Entry>(MAX_AUTHORIZATIONS);
  readonly #config: SsoConfig;
  readonly #clock: Clock;

  constructor(config: SsoConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
  }

  start(client: Registration): DeviceAuthorization {
    const entry: Entry = {
      deviceCode: randomBytes(48).toString('base64url'),
      userCode: createUserCode(),
      client,
      expiresAt: this.#clock.now() + this.#config.deviceCodeDuration * 1000,
      intervalMs: this.#config.deviceInterval * 1000,
      polledAt: undefined,
      decision: undefined,
    };
    this.#entries.set(entry.deviceCode, entry);
    return entry;
  }

  /** Handles a token request by a device. If it returns a user, the code is used up. */
  poll(deviceCode: string, client: Registration): DevicePoll {
    const entry = this.#entries.get(deviceCode);
    if (!entry || entry.client.id !== client.id) return 'unknown';
    const now = this.#clock.now();
    if (entry.expiresAt <= now) return 'expired';
    const tooSoon =
      entry.polledAt !== undefined && now - entry.polledAt < entry.intervalMs - TOLERANCE_MS;
    entry.polledAt = now;
    if (tooSoon) {
      entry.intervalMs += SLOW_DOWN_MS;
      return 'slow-down';
    }
    if (entry.decision === undefined) return 'pending';
    if (entry.decision !== 'denied') this.#entries.delete(deviceCode);
    return entry.decision;
  }

  /** Authorizations without a decision, oldest first. */
  waiting(): DeviceAuthorization[] {
    return this.#undecided();
  }

  /** Finds an authorization without a decision. Ignores case and separators in the code. */
  find(userCode: string): DeviceAuthorization | undefined {
    return this.#undecided().find(
      (entry) => normalizeUserCode(entry.userCode) === normalizeUserCode(userCode),
    );
  }

  decide({ deviceCode }: DeviceAuthorization, decision: Decision): void {
    const entry = this.#entries.get(deviceCode);
    if (entry) entry.decision = decision;
  }

  #undecided(): Entry[] {
    const now = this.#clock.now();
    return this.#entries
      .all()
      .filter(({ decision, expiresAt }) => decision === undefined && expiresAt > now);
  }
}

function createUserCode(): string {
  const letters = Array.from({ length: 8 }, () =>
    USER_CODE_LETTERS.charAt(randomInt(USER_CODE_LETTERS.length)),
  ).join('');
  return `${letters.slice(0, 4)}-${letters.slice(4)}`;
}

function normalizeUserCode(userCode: string): string {
  return userCode.toUpperCase().replace(/[^A-Z]/g, '');
}

const MAX_CODES = 10_000;

/** An authorization request after the approval in the browser. */
interface ApprovedRequest {
  readonly client: Registration;
  readonly user: string;
  readonly scopes: readonly string[];
  /** The redirect URI with its port. The client must send exactly the same one again. */
  readonly redirectUri: string;
  /** The PKCE code challenge with method S256. */
  readonly codeChallenge: string;
}

/** Authorization codes. Each can be redeemed once. */
class AuthorizationCodes {
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
   * Returns the approved request. Each attempt uses up the code, also one with a wrong client or
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

const MAX_REGISTRATIONS = 10_000;

export const DEVICE_CODE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

export const GRANT_TYPES = ['authorization_code', 'refresh_token', DEVICE_CODE_GRANT] as const;

type GrantType = (typeof GRANT_TYPES)[number];

/** The scope that the portal API requires. */
export const ACCOUNT_ACCESS = 'sso:account:access';

/** The registration data of a client. */
export interface ClientMetadata {
  readonly name: string;
  /** Absent: the device flow, and refresh tokens if the client requests scopes. */
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

/** Clients of the identity center. They register themselves, and all are public clients. */
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

  /** Returns the client, if its registration has not expired. */
  find(id: string): Registration | undefined {
    const client = this.#clients.get(id);
    return client && client.expiresAt > this.#clock.now() ? client : undefined;
  }

  /** Returns the client, if its registration has not expired and the secret matches. */
  authenticate(id: string, secret: string): Registration | undefined {
    const client = this.find(id);
    return client?.secret === secret ? client : undefined;
  }
}

/** The state that the APIs and the pages share. It is lost after a restart. */
export class IdentityCenter {
  readonly config: SsoConfig;
  readonly clients: ClientRegistrations;
  readonly codes: AuthorizationCodes;
  readonly devices: DeviceAuthorizations;
  readonly signIns: SignIns;

  constructor(config: SsoConfig, switches: Switches, clock: Clock) {
    this.config = config;
    this.clients = new ClientRegistrations(config, clock);
    this.codes = new AuthorizationCodes(config, clock);
    this.devices = new DeviceAuthorizations(config, clock);
    this.signIns = new SignIns(config, switches, clock);
  }
}
