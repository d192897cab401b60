import * as z from 'zod';
import { seconds } from '../durations.ts';

/** Scope syntax from RFC 6749. Spaces separate scopes. */
const scope = z
  .string()
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'a scope has no spaces and no quotes');

const clientSchema = z.strictObject({
  secret: z.string().min(1),
  /** Allowed scopes. A request without scopes gets all of them. */
  scopes: z.array(scope).default([]),
  /** `aud` of its tokens. Absent: no `aud`, as in Cognito. */
  audience: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]).optional(),
  /** Lifetime of its access tokens in seconds. Default: the server's setting. */
  tokenDuration: seconds.optional(),
  /**
   * Whether it gets a refresh token with each access token. RFC 6749 advises against this for
   * client credentials, but some servers do it.
   */
  refreshTokens: z.boolean().default(false),
});

export const oauthSchema = z.strictObject({
  /** By client id. */
  clients: z.record(z.string().min(1), clientSchema).default({}),
  /** Lifetime of an access token in seconds. */
  tokenDuration: seconds.default(3600),
  /** Lifetime of a refresh token in seconds. */
  refreshDuration: seconds.default(86_400),
});

export type OAuthConfig = z.output<typeof oauthSchema>;

export type OAuthClient = z.output<typeof clientSchema>;
