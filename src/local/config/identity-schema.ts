import * as z from 'zod';
import { createKeyErrorMap, seconds } from './switches.ts';

// The schema of identities: IAM Identity Center, access keys and roles.

const YEAR_SECONDS = 31_536_000;

const wholeSeconds = z
  .number()
  .int('whole seconds')
  .min(1, '1 second or more')
  .max(YEAR_SECONDS, `${YEAR_SECONDS} seconds (a year) at most`);

const ssoRoleSchema = z.strictObject({
  /** Lifetime of the role's credentials in seconds. */
  sessionDuration: wholeSeconds.default(3600),
  /** The IAM actions that its permission set allows. Absent: all actions. */
  allowed: z.array(z.string()).optional(),
  /** The IAM actions that its permission set explicitly denies. */
  denied: z.array(z.string()).default([]),
});

const ROLE_RULE = 'letters, digits and +=,.@_-, 32 at most';

const roleName = z.string().regex(/^[\w+=,.@-]{1,32}$/, ROLE_RULE);

const accountSchema = z.strictObject({
  /** Default: the account number. */
  name: z.string().min(1).optional(),
  email: z.string().min(1).optional(),
  /** Permission sets of IAM Identity Center. */
  roles: z.record(roleName, ssoRoleSchema, { error: createKeyErrorMap(ROLE_RULE) }).default({}),
});

const SSO_ACCOUNT_RULE = 'an account is twelve digits, in quotes';

const accountId = z.string().regex(/^\d{12}$/, SSO_ACCOUNT_RULE);

const userSchema = z.strictObject({
  accounts: z
    .record(accountId, accountSchema, { error: createKeyErrorMap(SSO_ACCOUNT_RULE) })
    .default({}),
});

/** A user name becomes the session name of assumed roles, so the limits of a session name apply. */
const USER_RULE = 'a user has letters, digits and +=,.@_-, 2 to 64 of them';

const userName = z.string().regex(/^[\w+=,.@-]{2,64}$/, USER_RULE);

/** IAM Identity Center: users, their accounts and roles, and lifetimes. */
export const ssoSchema = z.strictObject({
  /** Default: `/start` of the local runtime. */
  startUrl: z.url({ protocol: /^https?$/, error: 'an http or https URL' }).optional(),
  /** Default: the region of the local runtime. */
  region: z.string().min(1).optional(),
  /** Maximum duration of a sign-in in seconds. Its tokens expire then at the latest. */
  sessionDuration: wholeSeconds.default(28_800),
  /**
   * Lifetime of an access token in seconds, if the client can refresh it. Otherwise, it is valid
   * for the whole sign-in.
   */
  accessTokenDuration: wholeSeconds.default(3600),
  /** Lifetime of a client registration in seconds. */
  registrationDuration: wholeSeconds.default(7_776_000),
  /** Lifetime of an authorization code in seconds, after the approval in the browser. */
  codeDuration: wholeSeconds.default(600),
  /** Lifetime of a device code and its user code in seconds. */
  deviceCodeDuration: wholeSeconds.default(600),
  /** Minimum polling interval of a device in seconds. */
  deviceInterval: z.number().int('whole seconds').min(1).max(60).default(1),
  users: z
    .record(userName, userSchema, { error: createKeyErrorMap(USER_RULE) })
    .refine((users) => Object.keys(users).length > 0, 'name a user here'),
});

export type SsoConfig = z.output<typeof ssoSchema>;

export type SsoAccount = z.output<typeof accountSchema>;

export type SsoRole = z.output<typeof ssoRoleSchema>;

/** The start URL of the sign-in pages. */
export function getStartUrl(config: SsoConfig, origin: string): string {
  return config.startUrl ?? `${origin}/start`;
}

/**
 * Compares start URLs. Ignores trailing slashes and fragments, because the AWS CLI accepts `#/` at
 * the end.
 */
export function isStartUrl(config: SsoConfig, origin: string, asked: string): boolean {
  return trimUrl(asked) === trimUrl(getStartUrl(config, origin));
}

function trimUrl(url: string): string {
  return url.replace(/#.*$/, '').replace(/\/+$/, '');
}

const principalArn = z
  .string()
  .regex(/^arn:aws[a-z-]*:(iam|sts)::\d{12}:.+$/, 'the ARN of an IAM user or role');

const sessionRoleArn = z
  .string()
  .regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/.+$/, 'arn:aws:iam::ACCOUNT:role/NAME');

/** The policies of a principal, as lists of IAM actions with the wildcards `*` and `?`. */
const policies = {
  /** The only allowed actions. Absent: all actions. */
  allowed: z.array(z.string()).optional(),
  /** Explicitly denied actions, such as `bedrock-agentcore:InvokeAgentRuntime`. */
  denied: z.array(z.string()).default([]),
};

export const accessKeySchema = z.strictObject({
  id: z.string().regex(/^[A-Z0-9]{16,128}$/, '16 or more capital letters and digits'),
  secret: z.string().min(1),
  /** If set, requests with this key must contain it. */
  sessionToken: z.string().min(1).optional(),
  principal: principalArn.optional(),
  ...policies,
});

const mfaSchema = z.strictObject({
  /** The device serial number that callers must send. */
  serial: z.string().regex(/^[\w+=/:,.@-]{9,256}$/, 'the ARN or number of a device'),
  /** The only valid code of the device. It never changes. */
  code: z.string('six digits, in quotes').regex(/^\d{6}$/, 'six digits, in quotes'),
});

const webIdentitySchema = z.strictObject({
  /** `aud` of the token must contain one of these. An empty list allows any token. */
  audience: z.array(z.string().min(1)).default([]),
  /** `sub` of the token must be one of these. An empty list allows any token. */
  subjects: z.array(z.string().min(1)).default([]),
});

export const roleSchema = z.strictObject({
  arn: sessionRoleArn,
  externalId: z.string().min(2).optional(),
  /**
   * Principals that may assume the role: ARNs of users or roles, accounts, or `*`. Absent: all
   * callers with a valid signature.
   */
  trustedPrincipals: z.array(z.string()).optional(),
  /** Absent: no MFA required. */
  mfa: mfaSchema.optional(),
  /** Whether the trust policy allows callers to set or pass on a source identity. */
  sourceIdentity: z.boolean().default(false),
  /** Requirements for tokens of the local OAuth server to assume the role. Absent: no token can. */
  webIdentity: webIdentitySchema.optional(),
  /** Maximum `DurationSeconds` of a request. */
  maxSessionDuration: z.number().int().min(3600).max(43_200).default(3600),
  /** Lifetime of the role's credentials in seconds. Overrides the duration in the request. */
  sessionDuration: seconds.optional(),
  ...policies,
});

export type AccessKeyConfig = z.output<typeof accessKeySchema>;

export type RoleConfig = z.output<typeof roleSchema>;
