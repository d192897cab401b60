import * as z from 'zod';
import { jwtAuthorizerSchema } from '../authorization/jwt-authorizer.ts';
import { seconds } from '../durations.ts';
import { createKeyErrorMap } from '../key-rule.ts';

const GATEWAY_RULE = 'a gateway is named by letters, digits and single dashes, 48 at most';

const gatewayName = z.string().regex(/^(?=.{1,48}$)[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*$/);

const TARGET_RULE = 'a target is named by letters, digits and single dashes, 100 at most';

const targetName = z.string().regex(/^(?=.{1,100}$)[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*$/);

const targetSchema = z.union(
  [
    z.strictObject({
      /** Name of an MCP runtime in this configuration. */
      runtime: z.string(),
    }),
    z.strictObject({
      /** An MCP server of this gateway only. It runs like the container of a runtime. */
      command: z.array(z.string().min(1)).min(1),
      cwd: z.string().optional(),
      env: z.record(z.string(), z.string()).default({}),
      sessions: z.enum(['stateless', 'stateful']).default('stateless'),
    }),
  ],
  'a runtime, or a command',
);

const gatewaySchema = z.strictObject({
  /** SigV4, any token of the local OAuth server, none, or a JWT authorizer. */
  authorizer: z
    .union([z.enum(['AWS_IAM', 'CUSTOM_JWT', 'NONE']), jwtAuthorizerSchema])
    .default('AWS_IAM'),
  targets: z
    .record(targetName, targetSchema, { error: createKeyErrorMap(TARGET_RULE) })
    .default({}),
  /** Whether the gateway issues an Mcp-Session-Id to each client. */
  sessions: z.boolean().default(false),
  /**
   * Seconds from `initialize` until a session expires, regardless of activity. AWS allows 900 or
   * more.
   */
  sessionTimeout: seconds.max(28_800).default(3600),
});

export const gatewaysSchema = z
  .record(gatewayName, gatewaySchema, { error: createKeyErrorMap(GATEWAY_RULE) })
  .default({});

export type GatewaySettings = z.output<typeof gatewaySchema>;

export type TargetSettings = z.output<typeof targetSchema>;
