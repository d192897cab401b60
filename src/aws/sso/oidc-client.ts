import {
  CreateTokenCommand,
  type CreateTokenRequest,
  RegisterClientCommand,
  type RegisterClientRequest,
  SSOOIDCClient,
  StartDeviceAuthorizationCommand,
} from '@aws-sdk/client-sso-oidc';
import { AgentCoreError } from '../../base/errors.ts';
import { call, connectService, type ServiceConnection } from './service-client.ts';
import { getClock, type SignInCode, type SsoContext, type SsoSession } from './sso-session.ts';
import {
  type Registration,
  readRegistration,
  removeRegistration,
  type SsoToken,
  writeRegistration,
} from './token-cache.ts';

/** The sign-in method of a client. Identity Center needs a different client for each. */
type Purpose = 'browser' | 'device';

/** The grant in a token request. */
type Grant = Pick<
  CreateTokenRequest,
  'grantType' | 'code' | 'codeVerifier' | 'redirectUri' | 'deviceCode' | 'refreshToken'
>;

/** A user code waiting for confirmation. */
interface DeviceAuthorization extends SignInCode {
  /** Secret, unlike the displayed code. */
  readonly deviceCode: string;
  /** Polling interval in milliseconds. */
  readonly interval: number;
}

const CLIENT_NAME = 'AgentCore MCP';

/**
 * Registered without a port, because Identity Center accepts any port of a loopback address (RFC
 * 8252).
 */
const REDIRECT_URI = 'http://127.0.0.1/oauth/callback';

/**
 * Minimum remaining milliseconds of a reused registration. A login is refreshable only while its
 * registration is valid.
 */
const MIN_REGISTRATION_LIFETIME_MS = 24 * 3_600_000;

/** The default of RFC 8628. */
const DEFAULT_INTERVAL_SECONDS = 5;

/** Client for the OIDC service of Identity Center. All its calls are unsigned. */
export class Oidc {
  readonly #session: SsoSession;
  readonly #context: SsoContext;
  readonly #connection: ServiceConnection;
  readonly #client: SSOOIDCClient;

  private constructor(session: SsoSession, context: SsoContext, connection: ServiceConnection) {
    this.#session = session;
    this.#context = context;
    this.#connection = connection;
    this.#client = new SSOOIDCClient({ ...connection.settings, maxAttempts: 3 });
  }

  static async open(session: SsoSession, context: SsoContext): Promise<Oidc> {
    const { endpointProvider } = new SSOOIDCClient({ region: session.region }).config;
    const connection = await connectService('SSO OIDC', endpointProvider, session, context);
    return new Oidc(session, context, connection);
  }

  close(): void {
    this.#client.destroy();
    this.#connection.close();
  }

  /** Returns the stored client registration, or registers a new client. */
  async registration(purpose: Purpose, signal: AbortSignal): Promise<Registration> {
    const { env } = this.#context;
    const known = await readRegistration(this.#session, purpose, env);
    if (known && known.expiresAt.getTime() - this.#now() > MIN_REGISTRATION_LIFETIME_MS)
      return known;
    const { scopes, startUrl } = this.#session;
    const request: RegisterClientRequest = {
      clientName: CLIENT_NAME,
      clientType: 'public',
      scopes: [...scopes],
      ...(purpose === 'browser' && {
        grantTypes: ['authorization_code', 'refresh_token'],
        redirectUris: [REDIRECT_URI],
        issuerUrl: startUrl,
      }),
    };
    const answer = await this.#call(
      'Could not register with IAM Identity Center',
      signal,
      (options) => this.#client.send(new RegisterClientCommand(request), options),
    );
    const registration = {
      clientId: requireMember(answer.clientId, 'clientId'),
      clientSecret: requireMember(answer.clientSecret, 'clientSecret'),
      expiresAt: new Date(
        requireMember(answer.clientSecretExpiresAt, 'clientSecretExpiresAt') * 1000,
      ),
    };
    await writeRegistration(this.#session, purpose, registration, env);
    return registration;
  }

  /** Removes the client, so that the next login registers a new one. */
  async forgetRegistration(purpose: Purpose): Promise<void> {
    await removeRegistration(this.#session, purpose, this.#context.env);
  }

  /** The URL of the sign-in page. After the sign-in, it redirects to the redirect URI. */
  authorizationUrl(
    { clientId }: Registration,
    request: { readonly redirectUri: string; readonly state: string; readonly challenge: string },
  ): string {
    const { endpoint } = this.#connection;
    const url = new URL(`${endpoint.pathname.replace(/\/$/, '')}/authorize`, endpoint);
    url.search = new URLSearchParams({
      response_type: 'code',
      client_id: clientId,
      redirect_uri: request.redirectUri,
      state: request.state,
      code_challenge_method: 'S256',
      code_challenge: request.challenge,
      // AWS uses this name. In OAuth it is `scope`.
      scopes: this.#session.scopes.join(' '),
    }).toString();
    return url.href;
  }

  /** Requests a user code. */
  async startDevice(registration: Registration, signal: AbortSignal): Promise<DeviceAuthorization> {
    const { clientId, clientSecret } = registration;
    const answer = await this.#call('Could not get a sign-in code', signal, (options) =>
      this.#client.send(
        new StartDeviceAuthorizationCommand({
          clientId,
          clientSecret,
          startUrl: this.#session.startUrl,
        }),
        options,
      ),
    );
    return {
      deviceCode: requireMember(answer.deviceCode, 'deviceCode'),
      userCode: requireMember(answer.userCode, 'userCode'),
      verificationUri: requireMember(answer.verificationUri, 'verificationUri'),
      verificationUriComplete: answer.verificationUriComplete,
      expiresAt: this.#after(requireMember(answer.expiresIn, 'expiresIn')),
      interval: (answer.interval || DEFAULT_INTERVAL_SECONDS) * 1000,
    };
  }

  /** Exchanges a grant for a token. If it throws, `getOAuthErrorCode` returns OAuth's error. */
  async createToken(
    registration: Registration,
    grant: Grant,
    signal: AbortSignal,
  ): Promise<SsoToken> {
    const { clientId, clientSecret } = registration;
    const answer = await this.#call('Could not sign in', signal, (options) =>
      this.#client.send(new CreateTokenCommand({ clientId, clientSecret, ...grant }), options),
    );
    return {
      accessToken: requireMember(answer.accessToken, 'accessToken'),
      expiresAt: this.#after(requireMember(answer.expiresIn, 'expiresIn')),
      refreshToken: answer.refreshToken ?? grant.refreshToken,
      registration,
    };
  }

  #call<T>(
    what: string,
    signal: AbortSignal,
    send: (options: { readonly abortSignal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    return call(what, this.#connection.endpoint, signal, send);
  }

  #now(): number {
    return getClock(this.#context).now();
  }

  #after(seconds: number): Date {
    return new Date(this.#now() + seconds * 1000);
  }
}

function requireMember<T>(value: T | undefined, member: string): T {
  if (value !== undefined) return value;
  throw new AgentCoreError('protocol', `The answer of IAM Identity Center has no ${member}`);
}
