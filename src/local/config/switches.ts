import * as z from 'zod';

// Switches for uncertain behavior of AgentCore, and number types for durations.

/** Maximum delay of a timer. With a longer delay, Node fires the timer immediately. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Milliseconds within Node's timer limit. */
export const milliseconds = z
  .number()
  .min(0, '0 milliseconds or more')
  .max(MAX_TIMER_MS, `${MAX_TIMER_MS} milliseconds (24 days) at most`);

const MAX_SECONDS = Math.floor(MAX_TIMER_MS / 1000);

/** Seconds within Node's timer limit. */
export const seconds = z
  .number()
  .positive('more than 0 seconds')
  .max(MAX_SECONDS, `${MAX_SECONDS} seconds (24 days) at most`);

/**
 * Switches for uncertain behavior of AgentCore: user reports or inferences. Each switch applies to
 * all runtimes or to one. The defaults follow the developer guide or, if it is silent, the most
 * frequent report. Marks: [D] documented, [W] reported by users, [I] inferred.
 */
const switchesSchema = z.strictObject({
  /**
   * The header that routes a request to the microVM of an MCP runtime [D: `mcp-session-id`].
   * `either` uses Mcp-Session-Id, or the runtime session id if that header is absent [W].
   */
  routeMcpBy: z.enum(['mcp-session-id', 'runtime-session-id', 'either']).default('mcp-session-id'),
  /** The id for StopRuntimeSession on an MCP runtime [I]. */
  stopBy: z.enum(['runtime-session-id', 'mcp-session-id', 'either']).default('runtime-session-id'),
  /** The microVM for an MCP request without a session id: a new one [W], or a shared one. */
  withoutSessionId: z.enum(['new-microvm', 'shared-microvm']).default('new-microvm'),
  /**
   * The header that routes MCP 2026-07-28 messages, which have no sessions [I]. `none`: each
   * request gets a new microVM, even if it contains an id.
   */
  sessionlessAffinity: z
    .enum(['mcp-session-id', 'runtime-session-id', 'none'])
    .default('mcp-session-id'),
  /**
   * Whether a stateless runtime accepts an `Mcp-Session-Id` that AgentCore never issued [W: yes].
   */
  inventedIdOnStateless: z.enum(['accept', 'refuse']).default('accept'),
  /**
   * Whether a stateful runtime refuses an `Mcp-Session-Id` that the server never issued [D: yes].
   * `forward` starts a microVM, and its server refuses the id.
   */
  inventedIdOnStateful: z.enum(['refuse', 'forward']).default('refuse'),
  /** Refusal of an Mcp-Session-Id that was never issued: 404 `Session not found`, or 400 [I]. */
  refusedId: z.enum(['not-found', 'bad-request']).default('not-found'),
  /**
   * Response for a stateful client if its microVM has ended: 404 [D]. [W]: 400 with -32000 `Server
   * not initialized`, -32602 `Invalid request parameters`, -32603 `An internal error occurred…`, or
   * the response of a new container.
   */
  goneSession: z
    .enum([
      'not-found',
      'server-not-initialized',
      'invalid-params',
      'internal-error',
      'fresh-container',
    ])
    .default('not-found'),
  /** Status for an accepted notification: 202 [D], 204 [W], or that of the container. */
  notificationStatus: z
    .union([z.literal(202), z.literal(204), z.literal('container')], '202, 204 or container')
    .default(202),
  /**
   * The `Mcp-Session-Id` issued for a stateless runtime: a separate id, or the runtime session id
   * [I].
   */
  mintedMcpSessionId: z.enum(['own', 'runtime-session-id']).default('own'),
  /** Whether responses carry X-Amzn-Bedrock-AgentCore-Runtime-Session-Id [I for MCP runtimes]. */
  returnRuntimeSessionId: z.boolean().default(true),
  /**
   * Whether error responses of AgentCore itself contain the runtime session id of the request [I:
   * the documentation does not exclude it].
   */
  sessionIdOnRefusals: z.boolean().default(false),
  /** Whether responses of MCP runtimes carry Mcp-Session-Id [D: always]. */
  returnMcpSessionId: z.boolean().default(true),
  /**
   * Format of platform errors for MCP runtimes: JSON-RPC errors [D], or HTTP statuses as for HTTP
   * runtimes.
   */
  mcpErrors: z.enum(['json-rpc', 'status']).default('json-rpc'),
  /**
   * Error for a missing or invalid signature on an MCP runtime: 403 / -32002 [D], 401 / -32001 [I],
   * or the status and error type of other services [I].
   */
  mcpSignatureErrors: z.enum(['access-denied', 'unauthorized', 'status']).default('access-denied'),
  /**
   * Error for a valid token with a claim outside the authorizer's lists: 401 as for other tokens
   * [I], or 403 with the name of the claim [I].
   */
  jwtClaimErrors: z.enum(['unauthorized', 'access-denied']).default('unauthorized'),
  /** Allowed clock difference for `exp` and `nbf` of a token, in seconds [I]. */
  jwtLeeway: z.number().min(0).max(3600).default(0),
  /**
   * A revoked access token: accepted until it expires, because only its claims are checked [I], or
   * refused [I].
   */
  revokedTokens: z.enum(['accept', 'refuse']).default('accept'),
  /** How StopRuntimeSession is authorized, if the runtime has a JWT authorizer [I]. */
  stopJwtBy: z.enum(['bearer', 'sigv4', 'either']).default('bearer'),
  /**
   * Whether a 4xx response of an MCP container is forwarded [W] or becomes a platform error. A 5xx
   * response always becomes one.
   */
  containerClientErrors: z.enum(['pass', 'wrap']).default('pass'),
  /**
   * Result of an operation on a session that is starting or stopping: a conflict if true [D]. If
   * false, it waits.
   */
  conflictWhileChanging: z.boolean().default(true),
  /**
   * Result of an unexpected exit of a container: the session stops, or the next invocation restarts
   * it [I].
   */
  exitedContainer: z.enum(['stops-session', 'restarts']).default('stops-session'),
  /**
   * Response to a call if its container or microVM ended before the response [I]: the error of a
   * failed container, an internal error, the HTML of a load balancer, or a reset connection.
   */
  lostCall: z
    .enum(['container-failed', 'internal', 'bad-gateway', 'reset'])
    .default('container-failed'),
  /**
   * Whether the container of a stopped session continues until its idle timeout or maximum lifetime
   * [W].
   */
  containerOutlivesStop: z.boolean().default(false),
  /** Milliseconds without data until a stream is cut; 0 means never [W]. */
  cutSilentStreamsAfter: milliseconds.default(0),
  /**
   * Whether `Mcp-Param-*` headers are forwarded to the container. No documented list contains them
   * [I].
   */
  forwardMcpParamHeaders: z.boolean().default(true),
  /** Whether the platform sends a `ping` to a new MCP container [W]. */
  platformPing: z.boolean().default(false),
  /** Status for unsupported methods on `/invocations`, such as GET and DELETE [I]. */
  unmodelledMethodStatus: z
    .union([z.literal(405), z.literal(404), z.literal(403)], '405, 404 or 403')
    .default(405),
  /**
   * Maximum concurrent microVMs of the account, including warm ones. Above it, starts fail with 402
   * / -32003 [W].
   */
  maxVms: z.number().int().min(1).default(100),
  /** Message for `maxVms` [W]. `{account}` is replaced by the account number. */
  maxVmsText: z.string().default('maxVms limit exceeded for account {account}'),
  /** Invocations per second and runtime; 0 means no limit. AWS: 200 [D]. */
  maxInvocationsPerSecond: z.number().int().min(0).default(0),
  /** New sessions per minute and runtime; 0 means no limit. AWS: 400 [D]. */
  maxNewSessionsPerMinute: z.number().int().min(0).default(0),
  /**
   * Calls per second of each Get operation, for the whole account; 0 means no limit. AWS: 50 for
   * GetAgentRuntime [D].
   */
  maxGetsPerSecond: z.number().int().min(0).default(0),
  /** Calls per second of each List operation of the control plane; 0 means no limit. AWS: 5 [D]. */
  maxListsPerSecond: z.number().int().min(0).default(0),
  /**
   * The refresh token after a refresh of an SSO token [I]: replaced by a new one, returned
   * unchanged, or valid but omitted from the response.
   */
  ssoRefreshTokens: z.enum(['rotate', 'keep', 'omit']).default('rotate'),
  /** Response of the SSO portal for an account or role without access: 403 [W], or 404 [I]. */
  ssoNoAccess: z.enum(['forbidden', 'not-found']).default('forbidden'),
  /** Message for throttled requests [W]. If empty, the documented message. */
  throttleText: z.string().default(''),
  /** Time limit of a non-streaming response in seconds [D]. */
  synchronousLimit: seconds.default(900),
  /** Time limit of a stream in seconds [D]. */
  streamingLimit: seconds.default(3600),
});

export type Switches = z.output<typeof switchesSchema>;

/** The switches before defaults are applied. */
export type SwitchesInput = { readonly [K in keyof Switches]?: Switches[K] | undefined };

export const switchesInputSchema: z.ZodType<SwitchesInput, SwitchesInput> = z.strictObject(
  Object.fromEntries(
    Object.entries(switchesSchema.shape).map(([name, schema]) => [
      name,
      schema.unwrap().optional(),
    ]),
  ),
);

export const DEFAULT_SWITCHES: Switches = switchesSchema.parse({});

/**
 * Creates a zod error map. It returns `rule` for an invalid key. Otherwise, the message of zod is
 * used.
 */
export function createKeyErrorMap(rule: string) {
  return ({ code }: { readonly code: string }) => (code === 'invalid_key' ? rule : undefined);
}
