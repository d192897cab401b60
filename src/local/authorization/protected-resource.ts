import type { Answer } from '../answers/platform-error.ts';
import { getAuthorizationServer, type JwtAuthorizer } from './jwt-authorizer.ts';

/** RFC 9728 metadata: where clients get a token for this resource. */
export function createProtectedResourceResponse(
  resource: string,
  { discoveryUrl, allowedScopes }: JwtAuthorizer,
  localIssuer: string,
): Answer {
  const server = discoveryUrl === undefined ? localIssuer : getAuthorizationServer(discoveryUrl);
  return {
    status: 200,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      resource,
      authorization_servers: [server],
      bearer_methods_supported: ['header'],
      ...(allowedScopes.length > 0 && { scopes_supported: allowedScopes }),
    }),
  };
}

/** Adds a challenge with the metadata URL. */
export function withBearerChallenge(answer: Answer, metadataUrl: string): Answer {
  const challenge = `Bearer resource_metadata="${metadataUrl}"`;
  return { ...answer, headers: { ...answer.headers, 'WWW-Authenticate': challenge } };
}
