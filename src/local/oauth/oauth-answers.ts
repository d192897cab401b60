import type { Dialect } from '../answers/dialect.ts';
import type { Answer, PlatformErrorKind } from '../answers/platform-error.ts';

/** RFC 6749, 5.2: what is wrong with a token request. */
export type OAuthError =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'invalid_scope'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'server_error'
  | 'temporarily_unavailable'
  | 'slow_down';

export function oauthAnswer(value: object): Answer {
  return jsonAnswer(200, value);
}

export function oauthError(error: OAuthError, description: string, status = 400): Answer {
  const answer = jsonAnswer(status, { error, error_description: description });
  if (status !== 401) return answer;
  return { ...answer, headers: { ...answer.headers, 'WWW-Authenticate': 'Basic realm="oauth"' } };
}

/** No RFC says how a server tells these: a status, and the nearest of its own words. */
const KINDS: Partial<Record<PlatformErrorKind, readonly [status: number, error: OAuthError]>> = {
  unauthorized: [401, 'invalid_client'],
  'access-denied': [403, 'unauthorized_client'],
  throttled: [429, 'slow_down'],
  'quota-exceeded': [429, 'slow_down'],
  validation: [400, 'invalid_request'],
};

/** Errors of the platform as an OAuth server tells them, for the faults that meet it. */
export const OAUTH_DIALECT: Dialect = {
  id: null,
  error: ({ kind, message }) => {
    const [status, error] = KINDS[kind] ?? [500, 'server_error'];
    return oauthError(error, message || (status === 429 ? 'Too many requests' : kind), status);
  },
  signature: (_, message) => oauthError('invalid_client', message, 401),
};

function jsonAnswer(status: number, value: object): Answer {
  return {
    status,
    // RFC 6749, 5.1: nobody on the way may keep a token.
    headers: {
      'Content-Type': 'application/json',
      'Cache-Control': 'no-store',
      Pragma: 'no-cache',
    },
    body: JSON.stringify(value),
  };
}
