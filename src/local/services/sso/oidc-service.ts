import * as z from 'zod';
import type { PlatformErrorKind, SSO_OIDC_OPERATIONS } from '../../config/faults.ts';
import { isStartUrl } from '../../config/identity-schema.ts';
import { type Answer, createStatusResponse } from '../../http/errors.ts';
import type { Dialect, HttpExchange } from '../../http/exchange.ts';
import { type AwsService, getOrigin } from '../../http/service.ts';
import type { Platform } from '../platform.ts';
import { answerUnlessFaulty } from './portal-service.ts';
import {
  type ClientMetadata,
  DEVICE_CODE_GRANT,
  GRANT_TYPES,
  type IdentityCenter,
  type IssuedTokens,
  type Registration,
} from './sign-ins.ts';

// SSO-OIDC: its API, its errors, and the validation of its requests.

const MAX_BODY_BYTES = 100_000;

type Operation = (typeof SSO_OIDC_OPERATIONS)[number];

const OPERATIONS: Readonly<Record<string, Operation>> = {
  '/client/register': 'RegisterClient',
  '/device_authorization': 'StartDeviceAuthorization',
  '/token': 'CreateToken',
};

interface TokenRequest {
  readonly deviceCode?: string | null | undefined;
  readonly code?: string | null | undefined;
  readonly codeVerifier?: string | null | undefined;
  readonly redirectUri?: string | null | undefined;
  readonly refreshToken?: string | null | undefined;
}

/** The API of SSO-OIDC: client registration and tokens. Its requests are not signed. */
export class OidcApi implements AwsService {
  readonly #platform: Platform;
  readonly #center: IdentityCenter;

  constructor(platform: Platform, center: IdentityCenter) {
    this.#platform = platform;
    this.#center = center;
  }

  claims({ path, request }: HttpExchange): boolean {
    return request.method === 'POST' && Object.hasOwn(OPERATIONS, path);
  }

  async handle(exchange: HttpExchange): Promise<void> {
    const operation = OPERATIONS[exchange.path];
    if (!operation) return;
    exchange.record.operation = 'sso-oidc';
    exchange.record.rpcMethod = operation;
    const body = await exchange.readBody(MAX_BODY_BYTES);
    if (body === 'disconnected') return;
    if (body === 'too-large') {
      exchange.answer(createRefusalResponse('InvalidRequestException', 'The request is too large'));
      return;
    }
    const target = { operation: 'sso-oidc', method: operation } as const;
    answerUnlessFaulty(this.#platform, exchange, target, OIDC_DIALECT, () => {
      const origin = getOrigin(exchange);
      if (operation === 'RegisterClient') return this.#registerClient(body.bytes, origin);
      if (operation === 'CreateToken') return this.#createToken(body.bytes);
      return this.#startDeviceAuthorization(body.bytes, origin);
    });
  }

  #registerClient(bytes: Buffer, origin: string): Answer {
    const body = readOidcBody(registerClientSchema, bytes);
    if (!body.ok) return createOidcErrorResponse(body.error);
    const { issuerUrl } = body.value;
    if (issuerUrl && !isStartUrl(this.#center.config, origin, issuerUrl)) {
      return createRefusalResponse('InvalidRequestException', 'Invalid issuer URL provided');
    }
    const metadata = readMetadata(body.value);
    if (!metadata.ok) return createOidcErrorResponse(metadata.error);
    const client = this.#center.clients.add(metadata.value);
    return createSuccessResponse({
      clientId: client.id,
      clientSecret: client.secret,
      clientIdIssuedAt: Math.floor(client.issuedAt / 1000),
      clientSecretExpiresAt: Math.floor(client.expiresAt / 1000),
    });
  }

  #startDeviceAuthorization(bytes: Buffer, origin: string): Answer {
    const body = readOidcBody(deviceAuthorizationSchema, bytes);
    if (!body.ok) return createOidcErrorResponse(body.error);
    const { clientId, clientSecret, startUrl } = body.value;
    const { clients, config, devices } = this.#center;
    const client = clients.authenticate(clientId, clientSecret);
    if (!client) return createInvalidClientResponse();
    if (!client.grantTypes.includes(DEVICE_CODE_GRANT)) return createUnauthorizedClientResponse();
    if (!isStartUrl(config, origin, startUrl)) {
      return createRefusalResponse('InvalidRequestException', 'Invalid start url provided');
    }
    const { deviceCode, userCode } = devices.start(client);
    const verificationUri = `${origin}/device`;
    return createSuccessResponse({
      deviceCode,
      userCode,
      verificationUri,
      verificationUriComplete: `${verificationUri}?user_code=${userCode}`,
      expiresIn: config.deviceCodeDuration,
      interval: config.deviceInterval,
    });
  }

  #createToken(bytes: Buffer): Answer {
    const body = readOidcBody(createTokenSchema, bytes);
    if (!body.ok) return createOidcErrorResponse(body.error);
    const { clientId, clientSecret, grantType, scope } = body.value;
    const grant = GRANT_TYPES.find((known) => known === grantType);
    if (!grant)
      return createRefusalResponse('UnsupportedGrantTypeException', 'Unsupported grant type');
    const client = this.#center.clients.authenticate(clientId, clientSecret);
    if (!client) return createInvalidClientResponse();
    if (!client.grantTypes.includes(grant)) return createUnauthorizedClientResponse();
    if (!getGrantedScopes(client, scope ?? [])) {
      return createRefusalResponse('InvalidScopeException', 'A scope was not registered');
    }
    if (grant === 'authorization_code') return this.#redeemCode(client, body.value);
    return grant === 'refresh_token'
      ? this.#refresh(client, body.value)
      : this.#pollDevice(client, body.value);
  }

  #redeemCode(client: Registration, { code, redirectUri, codeVerifier }: TokenRequest): Answer {
    if (!code || !redirectUri || !codeVerifier) {
      return createRefusalResponse(
        'InvalidRequestException',
        'Missing code, redirectUri or codeVerifier',
      );
    }
    const { codes, signIns } = this.#center;
    const approved = codes.redeem(code, client, redirectUri, codeVerifier);
    if (!approved)
      return createRefusalResponse('InvalidGrantException', 'Invalid authorization code provided');
    return createTokenResponse(signIns.start(approved.user, client, approved.scopes));
  }

  #pollDevice(client: Registration, { deviceCode }: TokenRequest): Answer {
    if (!deviceCode) return createRefusalResponse('InvalidRequestException', 'Missing deviceCode');
    const poll = this.#center.devices.poll(deviceCode, client);
    switch (poll) {
      case 'unknown':
        return createRefusalResponse('InvalidGrantException', 'Invalid device code provided');
      case 'expired':
        return createRefusalResponse('ExpiredTokenException', 'The device code has expired');
      case 'pending':
        return createRefusalResponse(
          'AuthorizationPendingException',
          'The user has not decided yet',
        );
      case 'slow-down':
        return createRefusalResponse(
          'SlowDownException',
          'The device asks more often than its interval',
        );
      case 'denied':
        return createRefusalResponse('AccessDeniedException', 'The user has denied access');
      default:
        return createTokenResponse(this.#center.signIns.start(poll.user, client, client.scopes));
    }
  }

  #refresh(client: Registration, { refreshToken }: TokenRequest): Answer {
    if (!refreshToken)
      return createRefusalResponse('InvalidRequestException', 'Missing refreshToken');
    const issued = this.#center.signIns.refresh(refreshToken, client);
    if (!issued)
      return createRefusalResponse('InvalidGrantException', 'Invalid refresh token provided');
    return createTokenResponse(issued);
  }
}

function createTokenResponse({ accessToken, refreshToken, expiresIn }: IssuedTokens): Answer {
  return createSuccessResponse({ accessToken, tokenType: 'Bearer', expiresIn, refreshToken });
}

function createSuccessResponse(result: object): Answer {
  return {
    status: 200,
    headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' },
    body: JSON.stringify(result),
  };
}

function createInvalidClientResponse(): Answer {
  return createRefusalResponse('InvalidClientException', 'Invalid or expired client');
}

function createUnauthorizedClientResponse(): Answer {
  return createRefusalResponse(
    'UnauthorizedClientException',
    'The client is not registered for this grant type',
  );
}

function createRefusalResponse(type: OidcErrorType, description: string): Answer {
  return createOidcErrorResponse({ type, description });
}

/** HTTP status and OAuth code of each error. Source: the service model of SSO-OIDC. */
const ERRORS = {
  AccessDeniedException: [400, 'access_denied'],
  AuthorizationPendingException: [400, 'authorization_pending'],
  ExpiredTokenException: [400, 'expired_token'],
  InternalServerException: [500, 'server_error'],
  InvalidClientException: [401, 'invalid_client'],
  InvalidClientMetadataException: [400, 'invalid_client_metadata'],
  InvalidGrantException: [400, 'invalid_grant'],
  InvalidRedirectUriException: [400, 'invalid_redirect_uri'],
  InvalidRequestException: [400, 'invalid_request'],
  InvalidScopeException: [400, 'invalid_scope'],
  SlowDownException: [400, 'slow_down'],
  UnauthorizedClientException: [400, 'unauthorized_client'],
  UnsupportedGrantTypeException: [400, 'unsupported_grant_type'],
} as const satisfies Record<string, readonly [number, string]>;

type OidcErrorType = keyof typeof ERRORS;

/** An error response of SSO-OIDC. */
interface OidcError {
  readonly type: OidcErrorType;
  readonly description: string;
}

function createOidcErrorResponse({ type, description }: OidcError): Answer {
  const [status, error] = ERRORS[type];
  return {
    status,
    headers: {
      'Content-Type': 'application/json',
      'Cache-Control': 'no-store',
      'x-amzn-ErrorType': type,
    },
    body: JSON.stringify({ error, error_description: description }),
  };
}

const TYPES: Readonly<Partial<Record<PlatformErrorKind, OidcErrorType>>> = {
  unauthorized: 'InvalidClientException',
  'access-denied': 'AccessDeniedException',
  throttled: 'SlowDownException',
  validation: 'InvalidRequestException',
  internal: 'InternalServerException',
};

/** Converts injected errors to errors of SSO-OIDC. */
const OIDC_DIALECT: Dialect = {
  id: null,
  error(error) {
    const type = TYPES[error.kind];
    if (!type) return createStatusResponse(error);
    return createOidcErrorResponse({ type, description: error.message || 'Injected error' });
  },
  signature: (_, message) =>
    createOidcErrorResponse({ type: 'ExpiredTokenException', description: message }),
};

type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: OidcError };

const text = z.string().min(1);

const registerClientSchema = z.object({
  clientName: text,
  clientType: text,
  scopes: z.array(text).nullish(),
  redirectUris: z.array(text).nullish(),
  grantTypes: z.array(text).nullish(),
  issuerUrl: text.nullish(),
});

const deviceAuthorizationSchema = z.object({
  clientId: text,
  clientSecret: text,
  startUrl: text,
});

const createTokenSchema = z.object({
  clientId: text,
  clientSecret: text,
  grantType: text,
  deviceCode: text.nullish(),
  code: text.nullish(),
  codeVerifier: text.nullish(),
  redirectUri: text.nullish(),
  refreshToken: text.nullish(),
  scope: z.array(text).nullish(),
});

/** Parses a JSON body. The error names the missing or invalid field. */
function readOidcBody<T>(schema: z.ZodType<T>, bytes: Buffer): Read<T> {
  const parsed = schema.safeParse(parseJson(bytes));
  if (parsed.success) return { ok: true, value: parsed.data };
  const [issue] = parsed.error.issues;
  const field = issue?.path.join('.');
  return createRefusal('InvalidRequestException', field ? `Invalid ${field}` : 'Invalid request');
}

/** Validates a client registration. Returns an error if a value is not supported. */
function readMetadata(body: z.output<typeof registerClientSchema>): Read<ClientMetadata> {
  const redirectUris = body.redirectUris ?? [];
  const grantTypes = body.grantTypes ?? undefined;
  if (body.clientType !== 'public') {
    return createRefusal('InvalidClientMetadataException', 'Only public clients are supported');
  }
  const known = GRANT_TYPES.filter((grant) => grantTypes?.includes(grant));
  if (grantTypes && known.length !== new Set(grantTypes).size) {
    return createRefusal('UnsupportedGrantTypeException', 'A grant type is not supported');
  }
  if (!redirectUris.every(isLoopbackRedirect)) {
    return createRefusal(
      'InvalidRedirectUriException',
      'A redirect URI is not one of a loopback address',
    );
  }
  if (known.includes('authorization_code') && redirectUris.length === 0) {
    return createRefusal('InvalidRequestException', 'The authorization code needs a redirect URI');
  }
  if (!(body.scopes ?? []).every((scope) => /^[a-z0-9_-]+(:[a-z0-9_-]+)+$/i.test(scope))) {
    return createRefusal('InvalidScopeException', 'A scope is not supported');
  }
  return {
    ok: true,
    value: {
      name: body.clientName,
      grantTypes: grantTypes && known,
      scopes: body.scopes?.length ? body.scopes : undefined,
      redirectUris,
    },
  };
}

/**
 * Returns the granted scopes. `undefined` if one is not registered. If no scope is requested,
 * grants all registered ones.
 */
export function getGrantedScopes(
  client: Registration,
  asked: readonly string[],
): readonly string[] | undefined {
  if (asked.length === 0) return client.scopes;
  return asked.every((scope) => client.scopes.includes(scope)) ? asked : undefined;
}

function createRefusal(type: OidcErrorType, description: string): Read<never> {
  return { ok: false, error: { type, description } };
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

const LOOPBACK_HOSTS = new Set(['127.0.0.1', '[::1]', 'localhost']);

/** Whether a client may register the redirect URI: HTTP on a loopback host (RFC 8252). */
function isLoopbackRedirect(uri: string): boolean {
  return withoutPort(uri) !== undefined;
}

/**
 * Whether a redirect URI is registered. The port is ignored, because native apps use any free one.
 */
export function isRegisteredUri(uri: string, registered: readonly string[]): boolean {
  const asked = withoutPort(uri);
  return asked !== undefined && registered.some((known) => withoutPort(known) === asked);
}

/** Creates the URL of a redirect. Omits parameters without a value. */
export function createRedirectUrl(
  uri: string,
  parameters: Readonly<Record<string, string | undefined>>,
): string {
  const url = new URL(uri);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  return url.href;
}

function withoutPort(uri: string): string | undefined {
  if (!URL.canParse(uri)) return undefined;
  const url = new URL(uri);
  if (url.protocol !== 'http:' || !LOOPBACK_HOSTS.has(url.hostname) || url.hash) return undefined;
  if (url.username || url.password) return undefined;
  url.port = '';
  return url.href;
}
