import type { HttpExchange } from '../../answers/http-exchange.ts';
import type { Answer } from '../../answers/platform-error.ts';
import type { SSO_OIDC_OPERATIONS } from '../../fault.ts';
import type { Platform } from '../../platform.ts';
import type { AwsService } from '../service.ts';
import { DEVICE_CODE_GRANT, GRANT_TYPES, type Registration } from './client-registrations.ts';
import type { IdentityCenter } from './identity-center.ts';
import { createOidcErrorResponse, OIDC_DIALECT, type OidcErrorType } from './oidc-errors.ts';
import {
  createTokenSchema,
  deviceAuthorizationSchema,
  getGrantedScopes,
  readMetadata,
  readOidcBody,
  registerClientSchema,
} from './oidc-requests.ts';
import { getOrigin } from './origin.ts';
import type { IssuedTokens } from './sign-ins.ts';
import { isStartUrl } from './sso-config.ts';
import { answerUnlessFaulty } from './sso-faults.ts';

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

/** SSO-OIDC: client registration and tokens. Its requests are unsigned. */
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
