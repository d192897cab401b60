import { randomBytes } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import type { Switches } from '../../switches.ts';
import type { Registration } from './client-registrations.ts';
import { NewestByKey } from './newest-by-key.ts';
import type { SsoConfig } from './sso-config.ts';

const MAX_TOKENS = 10_000;

/** A sign-in of a user through one client. When it ends, all its tokens become invalid. */
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

/** A currently valid access token, without its value. */
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
export class SignIns {
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

  /** Issues new tokens for a sign-in; `undefined` if it has ended or belongs to another client. */
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

  /** The user of an access token; `undefined` if the token is invalid or lacks the scope. */
  findUser(token: string, scope: string): string | undefined {
    const accessToken = this.#accessTokens.get(token);
    if (!accessToken || !this.#isGood(accessToken)) return undefined;
    const { user, scopes } = accessToken.signIn;
    return scopes.includes(scope) ? user : undefined;
  }

  /** Ends the sign-in of an access token. */
  end(token: string): void {
    const accessToken = this.#accessTokens.get(token);
    if (accessToken) accessToken.signIn.ended = true;
  }

  /** Ends all live sign-ins of a user. Returns their number. */
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
