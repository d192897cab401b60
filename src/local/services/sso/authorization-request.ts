import type { ClientRegistrations, Registration } from './client-registrations.ts';
import { getGrantedScopes } from './oidc-requests.ts';
import { createRedirectUrl, isRegisteredUri } from './redirect-uri.ts';

/** The request of a browser to the authorization page. */
export type AuthorizationRequest =
  | {
      readonly kind: 'good';
      readonly client: Registration;
      readonly redirectUri: string;
      readonly state: string | undefined;
      readonly codeChallenge: string;
      readonly scopes: readonly string[];
    }
  /** Reported to the client by a redirect. */
  | { readonly kind: 'refused'; readonly location: string }
  /**
   * Shown only to the user: the client is unknown, or the redirect URI is not registered for it.
   */
  | { readonly kind: 'unusable'; readonly sentence: string };

/** Parses the query of the authorization page (RFC 6749 and RFC 7636). */
export function readAuthorizationRequest(
  query: string,
  clients: ClientRegistrations,
): AuthorizationRequest {
  const parameters = new URLSearchParams(query);
  const client = clients.find(parameters.get('client_id') ?? '');
  if (!client) {
    return { kind: 'unusable', sentence: 'The program is not registered, or no longer.' };
  }
  const redirectUri = parameters.get('redirect_uri') ?? '';
  if (!isRegisteredUri(redirectUri, client.redirectUris)) {
    return { kind: 'unusable', sentence: 'The program has not registered its redirect URI.' };
  }
  const state = parameters.get('state') ?? undefined;
  const refused = (error: string, description: string): AuthorizationRequest => ({
    kind: 'refused',
    location: createRedirectUrl(redirectUri, { error, error_description: description, state }),
  });
  if (parameters.get('response_type') !== 'code') {
    return refused('unsupported_response_type', 'The response_type has to be code');
  }
  if (!client.grantTypes.includes('authorization_code')) {
    return refused('unauthorized_client', 'The client is not registered for authorization codes');
  }
  const codeChallenge = parameters.get('code_challenge') ?? '';
  const isS256 = parameters.get('code_challenge_method') === 'S256';
  if (!isS256 || !/^[\w-]{43}$/.test(codeChallenge)) {
    return refused('invalid_request', 'A code_challenge by S256 is required');
  }
  const scopes = getGrantedScopes(client, parseScopes(parameters));
  if (!scopes) return refused('invalid_scope', 'A scope was not registered');
  return { kind: 'good', client, redirectUri, state, codeChallenge, scopes };
}

/** The AWS CLI sends `scopes`; the standard name is `scope`. */
function parseScopes(parameters: URLSearchParams): string[] {
  const text = parameters.get('scopes') ?? parameters.get('scope') ?? '';
  return text.split(/[\s,]+/).filter((scope) => scope !== '');
}
