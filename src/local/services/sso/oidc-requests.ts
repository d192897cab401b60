import * as z from 'zod';
import { type ClientMetadata, GRANT_TYPES, type Registration } from './client-registrations.ts';
import type { OidcError, OidcErrorType } from './oidc-errors.ts';
import { isLoopbackRedirect } from './redirect-uri.ts';

type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: OidcError };

const text = z.string().min(1);

export const registerClientSchema = z.object({
  clientName: text,
  clientType: text,
  scopes: z.array(text).nullish(),
  redirectUris: z.array(text).nullish(),
  grantTypes: z.array(text).nullish(),
  issuerUrl: text.nullish(),
});

export const deviceAuthorizationSchema = z.object({
  clientId: text,
  clientSecret: text,
  startUrl: text,
});

export const createTokenSchema = z.object({
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

/** Parses a JSON body. An error names the missing or invalid field. */
export function readOidcBody<T>(schema: z.ZodType<T>, bytes: Buffer): Read<T> {
  const parsed = schema.safeParse(parseJson(bytes));
  if (parsed.success) return { ok: true, value: parsed.data };
  const [issue] = parsed.error.issues;
  const field = issue?.path.join('.');
  return createRefusal('InvalidRequestException', field ? `Invalid ${field}` : 'Invalid request');
}

/** Validates a client registration. Returns an error if it contains something unsupported. */
export function readMetadata(body: z.output<typeof registerClientSchema>): Read<ClientMetadata> {
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
 * Returns the granted scopes; `undefined` if one is not registered. Default: all registered scopes.
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
