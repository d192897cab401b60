import * as z from 'zod';
import { seconds } from '../durations.ts';

/** RFC 6749: what a scope may look like, which a space separates from the next. */
const scope = z
  .string()
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'a scope has no spaces and no quotes');

const clientSchema = z.strictObject({
  secret: z.string().min(1),
  /** The scopes that it may have; it gets all of them unless it asks for some. */
  scopes: z.array(scope).default([]),
  /** The `aud` of its tokens. Absent: they have none, as those of Cognito. */
  audience: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]).optional(),
  /** Seconds that its access tokens live. Absent: the server's. */
  tokenDuration: seconds.optional(),
  /**
   * Whether its access tokens come with a refresh token, which RFC 6749 advises against for this
   * grant and some servers do.
   */
  refreshTokens: z.boolean().default(false),
});

export const oauthSchema = z.strictObject({
  /** By client id. */
  clients: z.record(z.string().min(1), clientSchema).default({}),
  /** Seconds that an access token lives. */
  tokenDuration: seconds.default(3600),
  /** Seconds that a refresh token lives. */
  refreshDuration: seconds.default(86_400),
});

export type OAuthConfig = z.output<typeof oauthSchema>;
export type OAuthClient = z.output<typeof clientSchema>;
