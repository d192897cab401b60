import * as z from 'zod';
import { seconds } from '../durations.ts';

const principalArn = z
  .string()
  .regex(/^arn:aws[a-z-]*:(iam|sts)::\d{12}:.+$/, 'the ARN of an IAM user or role');

const sessionRoleArn = z
  .string()
  .regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/.+$/, 'arn:aws:iam::ACCOUNT:role/NAME');

/** The policies of a principal as lists of IAM actions, with the IAM wildcards `*` and `?`. */
const policies = {
  /** The only allowed actions. Absent: all actions. */
  allowed: z.array(z.string()).optional(),
  /** Explicitly denied actions, such as `bedrock-agentcore:InvokeAgentRuntime`. */
  denied: z.array(z.string()).default([]),
};

export const accessKeySchema = z.strictObject({
  id: z.string().regex(/^[A-Z0-9]{16,128}$/, '16 or more capital letters and digits'),
  secret: z.string().min(1),
  /** If set, requests with this key must carry it. */
  sessionToken: z.string().min(1).optional(),
  principal: principalArn.optional(),
  ...policies,
});

const mfaSchema = z.strictObject({
  /** The device serial number that callers must send. */
  serial: z.string().regex(/^[\w+=/:,.@-]{9,256}$/, 'the ARN or number of a device'),
  /** The only valid code of the device; it never changes. */
  code: z.string('six digits, in quotes').regex(/^\d{6}$/, 'six digits, in quotes'),
});

const webIdentitySchema = z.strictObject({
  /** `aud` of the token must contain one of these. An empty list accepts any token. */
  audience: z.array(z.string().min(1)).default([]),
  /** `sub` of the token must be one of these. An empty list accepts any token. */
  subjects: z.array(z.string().min(1)).default([]),
});

export const roleSchema = z.strictObject({
  arn: sessionRoleArn,
  externalId: z.string().min(2).optional(),
  /**
   * Callers that may assume it: ARNs of users or roles, accounts, or `*`. Absent: every signed
   * caller.
   */
  trustedPrincipals: z.array(z.string()).optional(),
  /** Absent: no MFA required. */
  mfa: mfaSchema.optional(),
  /** Whether its trust policy allows callers to set or pass on a source identity. */
  sourceIdentity: z.boolean().default(false),
  /** Tokens of the local OAuth server that may assume it. Absent: none. */
  webIdentity: webIdentitySchema.optional(),
  /** Maximum `DurationSeconds` of a request, in seconds. */
  maxSessionDuration: z.number().int().min(3600).max(43_200).default(3600),
  /** Lifetime of its credentials in seconds. Overrides the requested duration. */
  sessionDuration: seconds.optional(),
  ...policies,
});

export type AccessKeyConfig = z.output<typeof accessKeySchema>;

export type RoleConfig = z.output<typeof roleSchema>;
