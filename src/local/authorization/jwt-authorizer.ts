import * as z from 'zod';

/** Requirements for a token, as in `customJWTAuthorizer` of the control plane. */
export const jwtAuthorizerSchema = z.strictObject({
  /** Default: the OAuth server of the local runtime. */
  discoveryUrl: z
    .url()
    .regex(
      /^.+\/\.well-known\/openid-configuration$/,
      'ends with /.well-known/openid-configuration',
    )
    .optional(),
  /**
   * `aud` must contain one of these. An empty list accepts any token; the same holds for the lists
   * below.
   */
  allowedAudience: z.array(z.string().min(1)).default([]),
  /** `client_id` must be one of these. */
  allowedClients: z.array(z.string().min(1)).default([]),
  /** `scope` must contain one of these. */
  allowedScopes: z.array(z.string().min(1)).default([]),
});

export type JwtAuthorizer = z.output<typeof jwtAuthorizerSchema>;

/** Accepts every token of the local OAuth server. */
export const ANY_LOCAL_TOKEN: JwtAuthorizer = jwtAuthorizerSchema.parse({});

const SUFFIX = '/.well-known/openid-configuration';

/** The URL of the authorization server for a discovery document. */
export function getAuthorizationServer(discoveryUrl: string): string {
  return discoveryUrl.slice(0, -SUFFIX.length);
}

/** The authorizer in the format of the control plane. */
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
