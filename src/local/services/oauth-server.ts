import { timingSafeEqual } from 'node:crypto';
import type { OAUTH_ENDPOINTS, PlatformErrorKind } from '../config/faults.ts';
import type { OAuthClient } from '../config/schema.ts';
import type { Answer } from '../http/errors.ts';
import type { Dialect, HttpExchange } from '../http/exchange.ts';
import type { AwsService } from '../http/service.ts';
import type { TokenIssuer } from '../identity/token-issuer.ts';
import { answerWithFault, isAnswerFault, recordFault } from '../invocations/fault-effects.ts';
import type { Platform } from './platform.ts';

const MAX_BODY_BYTES = 100_000;

const AUTH_METHODS = ['client_secret_basic', 'client_secret_post'];

/** The path of the issuer. All endpoints are below it, except the documents of RFC 8414. */
export const OAUTH_PATH = '/oauth';

type Endpoint = (typeof OAUTH_ENDPOINTS)[number];

const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  [`${OAUTH_PATH}/.well-known/openid-configuration`]: 'metadata',
  [`${OAUTH_PATH}/.well-known/oauth-authorization-server`]: 'metadata',
  // The well-known part is between the host and the path of the issuer (RFC 8414, 3).
  [`/.well-known/oauth-authorization-server${OAUTH_PATH}`]: 'metadata',
  [`/.well-known/openid-configuration${OAUTH_PATH}`]: 'metadata',
  [`${OAUTH_PATH}/jwks.json`]: 'jwks',
  [`${OAUTH_PATH}/token`]: 'token',
  [`${OAUTH_PATH}/revoke`]: 'revoke',
};

interface AuthenticatedClient {
  readonly id: string;
  readonly client: OAuthClient;
}

/** An OAuth server for runtimes and gateways with a JWT authorizer. AWS has no counterpart. */
export class OAuthServer implements AwsService {
  readonly #platform: Platform;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  claims({ path }: HttpExchange): boolean {
    return path === OAUTH_PATH || path.startsWith(`${OAUTH_PATH}/`) || path in ENDPOINTS;
  }

  async handle(exchange: HttpExchange): Promise<void> {
    const endpoint = ENDPOINTS[exchange.path];
    exchange.record.operation = 'oauth';
    exchange.record.rpcMethod = endpoint;
    const body = await exchange.readBody(MAX_BODY_BYTES);
    if (body === 'disconnected') return;
    if (!endpoint) {
      exchange.answer(createOAuthErrorResponse('invalid_request', 'There is nothing here', 404));
      return;
    }
    const fault = this.#platform.faults.take({ operation: 'oauth', method: endpoint });
    recordFault(this.#platform, exchange.record, fault);
    if (fault && isAnswerFault(fault)) {
      answerWithFault(exchange, fault, OAUTH_DIALECT);
      return;
    }
    if (body === 'too-large') {
      exchange.answer(createOAuthErrorResponse('invalid_request', 'The request is too large', 413));
      return;
    }
    const text = body.bytes.toString('utf8');
    exchange.answer(await this.#answer(exchange, endpoint, text));
  }

  async #answer(exchange: HttpExchange, endpoint: Endpoint, body: string): Promise<Answer> {
    const { issuer, keys } = this.#platform.oauth;
    const isPost = endpoint === 'token' || endpoint === 'revoke';
    if (exchange.request.method !== (isPost ? 'POST' : 'GET')) {
      const answer = createOAuthErrorResponse('invalid_request', 'Method not allowed', 405);
      return { ...answer, headers: { ...answer.headers, Allow: isPost ? 'POST' : 'GET' } };
    }
    if (endpoint === 'metadata') return createOAuthResponse(this.#metadata());
    if (endpoint === 'jwks') return createOAuthResponse(await keys.publicSet());
    if (!exchange.header('content-type')?.startsWith('application/x-www-form-urlencoded')) {
      return createOAuthErrorResponse(
        'invalid_request',
        'The body has to be application/x-www-form-urlencoded',
      );
    }
    const parameters = new URLSearchParams(body);
    const caller = authenticate(exchange.header('authorization'), parameters, issuer);
    if (!caller)
      return createOAuthErrorResponse('invalid_client', 'Client authentication failed', 401);
    if (endpoint === 'revoke') {
      issuer.revoke(parameters.get('token') ?? '');
      return createOAuthResponse({});
    }
    return this.#token(parameters, caller);
  }

  async #token(parameters: URLSearchParams, caller: AuthenticatedClient): Promise<Answer> {
    const { issuer } = this.#platform.oauth;
    const { id: clientId, client } = caller;
    const wanted = parameters.get('scope')?.split(' ').filter(Boolean);
    const grantType = parameters.get('grant_type');
    switch (grantType) {
      case null:
        return createOAuthErrorResponse('invalid_request', 'grant_type is missing');
      case 'client_credentials': {
        const scopes = wanted ?? client.scopes;
        if (!isWithin(scopes, client.scopes)) return createInvalidScopeResponse(scopes);
        const issued = await issuer.issue({ clientId, scopes });
        return createTokenResponse(issued, client.refreshTokens);
      }
      case 'refresh_token': {
        const refreshToken = parameters.get('refresh_token');
        if (refreshToken === null)
          return createOAuthErrorResponse('invalid_request', 'refresh_token is missing');
        const grant = issuer.grant(refreshToken, clientId);
        if (!grant)
          return createOAuthErrorResponse('invalid_grant', 'The refresh token is not valid');
        const scopes = wanted ?? grant.scopes;
        if (!isWithin(scopes, grant.scopes)) return createInvalidScopeResponse(scopes);
        // A refresh token is valid once. Each response contains the next one (OAuth 2.1).
        issuer.revoke(refreshToken);
        return createTokenResponse(
          await issuer.issue({ clientId, scopes, subject: grant.subject }),
          true,
        );
      }
      default:
        return createOAuthErrorResponse('unsupported_grant_type', `${grantType} is not served`);
    }
  }

  #metadata(): object {
    const issuer = this.#platform.oauth.issuerUrl;
    const { clients } = this.#platform.config.oauth;
    const scopes = new Set(Object.values(clients).flatMap((client) => client.scopes));
    return {
      issuer,
      token_endpoint: `${issuer}/token`,
      revocation_endpoint: `${issuer}/revoke`,
      jwks_uri: `${issuer}/jwks.json`,
      scopes_supported: [...scopes],
      response_types_supported: ['token'],
      grant_types_supported: ['client_credentials', 'refresh_token'],
      token_endpoint_auth_methods_supported: AUTH_METHODS,
      revocation_endpoint_auth_methods_supported: AUTH_METHODS,
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
    };
  }
}

function createTokenResponse(
  issued: Awaited<ReturnType<TokenIssuer['issue']>>,
  withRefreshToken: boolean,
): Answer {
  const { accessToken, refreshToken, expiresIn, scopes } = issued;
  return createOAuthResponse({
    access_token: accessToken,
    token_type: 'Bearer',
    expires_in: Math.floor(expiresIn),
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    ...(withRefreshToken && { refresh_token: refreshToken }),
  });
}

function createInvalidScopeResponse(scopes: readonly string[]): Answer {
  return createOAuthErrorResponse(
    'invalid_scope',
    `Not all of these are granted: ${scopes.join(' ')}`,
  );
}

function isWithin(wanted: readonly string[], granted: readonly string[]): boolean {
  return wanted.every((scope) => granted.includes(scope));
}

/**
 * Authenticates a client by HTTP Basic or by parameters in the body. Using both is an error (RFC
 * 6749, 2.3).
 */
function authenticate(
  authorization: string | undefined,
  parameters: URLSearchParams,
  issuer: TokenIssuer,
): AuthenticatedClient | undefined {
  const basic = authorization === undefined ? undefined : readBasic(authorization);
  const posted = parameters.get('client_secret');
  if (authorization !== undefined && (!basic || posted !== null)) return undefined;
  const id = basic?.id ?? parameters.get('client_id') ?? '';
  const client = issuer.client(id);
  const secret = basic?.secret ?? posted ?? '';
  return client && isSameText(client.secret, secret) ? { id, client } : undefined;
}

/** Parses HTTP Basic credentials. The id and the secret are form-encoded separately. */
function readBasic(
  authorization: string,
): { readonly id: string; readonly secret: string } | undefined {
  const encoded = /^basic +(\S+)$/i.exec(authorization)?.[1];
  const text = Buffer.from(encoded ?? '', 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) return undefined;
  return {
    id: decodeFormValue(text.slice(0, colon)),
    secret: decodeFormValue(text.slice(colon + 1)),
  };
}

function decodeFormValue(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

function isSameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Error codes. Sources: RFC 6749, 5.2, and later specifications. */
type OAuthError =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'invalid_scope'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'server_error'
  | 'temporarily_unavailable'
  | 'slow_down';

function createOAuthResponse(value: object): Answer {
  return createJsonResponse(200, value);
}

function createOAuthErrorResponse(error: OAuthError, description: string, status = 400): Answer {
  const answer = createJsonResponse(status, { error, error_description: description });
  if (status !== 401) return answer;
  return { ...answer, headers: { ...answer.headers, 'WWW-Authenticate': 'Basic realm="oauth"' } };
}

/** The status and OAuth error for each kind of platform error. No RFC defines these cases. */
const KINDS: Partial<Record<PlatformErrorKind, readonly [status: number, error: OAuthError]>> = {
  unauthorized: [401, 'invalid_client'],
  'access-denied': [403, 'unauthorized_client'],
  throttled: [429, 'slow_down'],
  'quota-exceeded': [429, 'slow_down'],
  validation: [400, 'invalid_request'],
};

/** Converts injected platform errors to OAuth errors. */
const OAUTH_DIALECT: Dialect = {
  id: null,
  error: ({ kind, message }) => {
    const [status, error] = KINDS[kind] ?? [500, 'server_error'];
    return createOAuthErrorResponse(
      error,
      message || (status === 429 ? 'Too many requests' : kind),
      status,
    );
  },
  signature: (_, message) => createOAuthErrorResponse('invalid_client', message, 401),
};

function createJsonResponse(status: number, value: object): Answer {
  return {
    status,
    // Tokens must not be cached (RFC 6749, 5.1).
    headers: {
      'Content-Type': 'application/json',
      'Cache-Control': 'no-store',
      Pragma: 'no-cache',
    },
    body: JSON.stringify(value),
  };
}
