import * as z from 'zod';
import { jwtAuthorizerSchema } from '../authorization/jwt-authorizer.ts';
import { seconds } from '../durations.ts';
import { keyRule } from '../key-rule.ts';

const GATEWAY_RULE = 'a gateway is named by letters, digits and single dashes, 48 at most';
const gatewayName = z.string().regex(/^(?=.{1,48}$)[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*$/);
const TARGET_RULE = 'a target is named by letters, digits and single dashes, 100 at most';
const targetName = z.string().regex(/^(?=.{1,100}$)[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*$/);

const targetSchema = z.union(
  [
    z.strictObject({
      /** An MCP runtime of this configuration. */
      runtime: z.string(),
    }),
    z.strictObject({
      /** An MCP server of the gateway's own, run as a runtime's container. */
      command: z.array(z.string().min(1)).min(1),
      cwd: z.string().optional(),
      env: z.record(z.string(), z.string()).default({}),
      sessions: z.enum(['stateless', 'stateful']).default('stateless'),
    }),
  ],
  'a runtime, or a command',
);

const gatewaySchema = z.strictObject({
  /** SigV4, a token of the local OAuth server, none, or what a token has to say. */
  authorizer: z
    .union([z.enum(['AWS_IAM', 'CUSTOM_JWT', 'NONE']), jwtAuthorizerSchema])
    .default('AWS_IAM'),
  targets: z.record(targetName, targetSchema, { error: keyRule(TARGET_RULE) }).default({}),
  /** Whether clients have a session, by an Mcp-Session-Id that the gateway issues. */
  sessions: z.boolean().default(false),
  /** Seconds from `initialize` until a session expires, whatever happens in it. AWS allows 900 and more. */
  sessionTimeout: seconds.max(28_800).default(3600),
});

export const gatewaysSchema = z
  .record(gatewayName, gatewaySchema, { error: keyRule(GATEWAY_RULE) })
  .default({});

export type GatewaySettings = z.output<typeof gatewaySchema>;
export type TargetSettings = z.output<typeof targetSchema>;
