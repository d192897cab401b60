import type { Dialect } from '../answers/dialect.ts';
import type { Answer, PlatformErrorKind } from '../answers/platform-error.ts';

/** Error codes from RFC 6749, 5.2, and other specifications. */
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

export function createOAuthResponse(value: object): Answer {
  return createJsonResponse(200, value);
}

export function createOAuthErrorResponse(
  error: OAuthError,
  description: string,
  status = 400,
): Answer {
  const answer = createJsonResponse(status, { error, error_description: description });
  if (status !== 401) return answer;
  return { ...answer, headers: { ...answer.headers, 'WWW-Authenticate': 'Basic realm="oauth"' } };
}

/** No RFC defines these cases. Uses a suitable status and the closest OAuth error. */
const KINDS: Partial<Record<PlatformErrorKind, readonly [status: number, error: OAuthError]>> = {
  unauthorized: [401, 'invalid_client'],
  'access-denied': [403, 'unauthorized_client'],
  throttled: [429, 'slow_down'],
  'quota-exceeded': [429, 'slow_down'],
  validation: [400, 'invalid_request'],
};

/** Formats injected platform errors as OAuth errors. */
export const OAUTH_DIALECT: Dialect = {
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
    // RFC 6749, 5.1: tokens must not be cached.
    headers: {
      'Content-Type': 'application/json',
      'Cache-Control': 'no-store',
      Pragma: 'no-cache',
    },
    body: JSON.stringify(value),
  };
}
