import * as z from 'zod';

/** What a JWT authorizer asks of a token, as in the control plane's `customJWTAuthorizer`. */
export const jwtAuthorizerSchema = z.strictObject({
  /** Absent: the OAuth server of the local runtime itself. */
  discoveryUrl: z
    .url()
    .regex(
      /^.+\/\.well-known\/openid-configuration$/,
      'ends with /.well-known/openid-configuration',
    )
    .optional(),
  /** One of these has to be in `aud`; none here asks nothing. */
  allowedAudience: z.array(z.string().min(1)).default([]),
  /** One of these has to be `client_id`. */
  allowedClients: z.array(z.string().min(1)).default([]),
  /** One of these has to be in `scope`. */
  allowedScopes: z.array(z.string().min(1)).default([]),
});

export type JwtAuthorizer = z.output<typeof jwtAuthorizerSchema>;

/** An authorizer that takes every token of the local OAuth server. */
export const ANY_LOCAL_TOKEN: JwtAuthorizer = jwtAuthorizerSchema.parse({});

const SUFFIX = '/.well-known/openid-configuration';

/** The address of the authorization server that a discovery document belongs to. */
export function authorizationServerOf(discoveryUrl: string): string {
  return discoveryUrl.slice(0, -SUFFIX.length);
}

/** The authorizer as the control plane tells it. */
export function describeJwtAuthorizer(
  { discoveryUrl, allowedAudience, allowedClients, allowedScopes }: JwtAuthorizer,
  localIssuer: string,
): object {
  return {
    customJWTAuthorizer: {
      discoveryUrl: discoveryUrl ?? `${localIssuer}${SUFFIX}`,
      ...(allowedAudience.length > 0 && { allowedAudience }),
      ...(allowedClients.length > 0 && { allowedClients }),
      ...(allowedScopes.length > 0 && { allowedScopes }),
    },
  };
}
