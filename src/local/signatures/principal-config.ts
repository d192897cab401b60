import * as z from 'zod';
import { seconds } from '../durations.ts';

const principalArn = z
  .string()
  .regex(/^arn:aws[a-z-]*:(iam|sts)::\d{12}:.+$/, 'the ARN of an IAM user or role');
const sessionRoleArn = z
  .string()
  .regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/.+$/, 'arn:aws:iam::ACCOUNT:role/NAME');

/** The policies of a principal, as lists of IAM actions; `*` and `?` are IAM's wildcards. */
const policies = {
  /** What they allow, and nothing else. Absent: everything. */
  allowed: z.array(z.string()).optional(),
  /** What they explicitly deny, such as `bedrock-agentcore:InvokeAgentRuntime`. */
  denied: z.array(z.string()).default([]),
};

export const accessKeySchema = z.strictObject({
  id: z.string().regex(/^[A-Z0-9]{16,128}$/, '16 or more capital letters and digits'),
  secret: z.string().min(1),
  /** Where given, a request with this key must carry it. */
  sessionToken: z.string().min(1).optional(),
  principal: principalArn.optional(),
  ...policies,
});

const mfaSchema = z.strictObject({
  /** The device that a caller has to name. */
  serial: z.string().regex(/^[\w+=/:,.@-]{9,256}$/, 'the ARN or number of a device'),
  /** What it shows, always the same. */
  code: z.string('six digits, in quotes').regex(/^\d{6}$/, 'six digits, in quotes'),
});

const webIdentitySchema = z.strictObject({
  /** One of these has to be the token's `aud`; none here asks nothing. */
  audience: z.array(z.string().min(1)).default([]),
  /** One of these has to be its `sub`. */
  subjects: z.array(z.string().min(1)).default([]),
});

export const roleSchema = z.strictObject({
  arn: sessionRoleArn,
  externalId: z.string().min(2).optional(),
  /** Who may assume it: ARNs of users or roles, accounts, or `*`. Absent: anyone who signs. */
  trustedPrincipals: z.array(z.string()).optional(),
  /** Absent: it asks for none. */
  mfa: mfaSchema.optional(),
  /** Whether its trust policy lets a caller set, or bring along, a source identity. */
  sourceIdentity: z.boolean().default(false),
  /** Which tokens of the local OAuth server may assume it. Absent: none. */
  webIdentity: webIdentitySchema.optional(),
  /** The most seconds that a caller may ask for. */
  maxSessionDuration: z.number().int().min(3600).max(43_200).default(3600),
  /** Seconds that its credentials live, whatever the caller asks for. */
  sessionDuration: seconds.optional(),
  ...policies,
});

export type AccessKeyConfig = z.output<typeof accessKeySchema>;
export type RoleConfig = z.output<typeof roleSchema>;
