import type { Dialect } from '../../answers/dialect.ts';
import {
  type Answer,
  createStatusResponse,
  type PlatformErrorKind,
} from '../../answers/platform-error.ts';

/** HTTP status and OAuth name of each error. Source: the service model of SSO-OIDC. */
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

export type OidcErrorType = keyof typeof ERRORS;

/** An error response of SSO-OIDC. */
export interface OidcError {
  readonly type: OidcErrorType;
  readonly description: string;
}

export function createOidcErrorResponse({ type, description }: OidcError): Answer {
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

/** Formats injected errors as SSO-OIDC errors. */
export const OIDC_DIALECT: Dialect = {
  id: null,
  error(error) {
    const type = TYPES[error.kind];
    if (!type) return createStatusResponse(error);
    return createOidcErrorResponse({ type, description: error.message || 'Injected error' });
  },
  signature: (_, message) =>
    createOidcErrorResponse({ type: 'ExpiredTokenException', description: message }),
};
