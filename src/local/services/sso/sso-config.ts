import * as z from 'zod';
import { keyRule } from '../../key-rule.ts';

const YEAR_SECONDS = 31_536_000;
const wholeSeconds = z
  .number()
  .int('whole seconds')
  .min(1, '1 second or more')
  .max(YEAR_SECONDS, `${YEAR_SECONDS} seconds (a year) at most`);

const roleSchema = z.strictObject({
  /** Seconds that its credentials live. */
  sessionDuration: wholeSeconds.default(3600),
  /** IAM actions that its permission set allows, and nothing else. Absent: everything. */
  allowed: z.array(z.string()).optional(),
  /** IAM actions that its permission set explicitly denies. */
  denied: z.array(z.string()).default([]),
});

const ROLE_RULE = 'letters, digits and +=,.@_-, 32 at most';
const roleName = z.string().regex(/^[\w+=,.@-]{1,32}$/, ROLE_RULE);

const accountSchema = z.strictObject({
  /** Default: its number. */
  name: z.string().min(1).optional(),
  email: z.string().min(1).optional(),
  /** What IAM Identity Center calls permission sets. */
  roles: z.record(roleName, roleSchema, { error: keyRule(ROLE_RULE) }).default({}),
});

const ACCOUNT_RULE = 'an account is twelve digits, in quotes';
const accountId = z.string().regex(/^\d{12}$/, ACCOUNT_RULE);

const userSchema = z.strictObject({
  accounts: z.record(accountId, accountSchema, { error: keyRule(ACCOUNT_RULE) }).default({}),
});

/** It becomes the session name of an assumed role, which bounds it. */
const USER_RULE = 'a user has letters, digits and +=,.@_-, 2 to 64 of them';
const userName = z.string().regex(/^[\w+=,.@-]{2,64}$/, USER_RULE);

/** IAM Identity Center: who may sign in, to which accounts and roles, and for how long. */
export const ssoSchema = z.strictObject({
  /** Default: `/start` of the local runtime. */
  startUrl: z.url({ protocol: /^https?$/, error: 'an http or https URL' }).optional(),
  /** Default: the region of the local runtime. */
  region: z.string().min(1).optional(),
  /** Seconds that a sign-in lasts; none of its tokens outlives it. */
  sessionDuration: wholeSeconds.default(28_800),
  /** Seconds that an access token lives whose client may refresh it. The others last the session. */
  accessTokenDuration: wholeSeconds.default(3600),
  /** Seconds that a client's registration is good for. */
  registrationDuration: wholeSeconds.default(7_776_000),
  /** Seconds from the approval in the browser until its code must be redeemed. */
  codeDuration: wholeSeconds.default(600),
  /** Seconds that a person has to enter a user code. */
  deviceCodeDuration: wholeSeconds.default(600),
  /** Seconds that a device has to wait between two questions. */
  deviceInterval: z.number().int('whole seconds').min(1).max(60).default(1),
  users: z
    .record(userName, userSchema, { error: keyRule(USER_RULE) })
    .refine((users) => Object.keys(users).length > 0, 'name a user here'),
});

export type SsoConfig = z.output<typeof ssoSchema>;
export type SsoAccount = z.output<typeof accountSchema>;
export type SsoRole = z.output<typeof roleSchema>;

/** The address that clients know the identity center by. */
export function startUrlOf(config: SsoConfig, origin: string): string {
  return config.startUrl ?? `${origin}/start`;
}

/** Whether a client's spelling is the same start URL: AWS's CLI also takes it with `#/` behind. */
export function isStartUrl(config: SsoConfig, origin: string, asked: string): boolean {
  return trimmed(asked) === trimmed(startUrlOf(config, origin));
}

function trimmed(url: string): string {
  return url.replace(/#.*$/, '').replace(/\/+$/, '');
}
