import * as z from 'zod';
import { milliseconds, seconds } from './durations.ts';

/**
 * What users report of AgentCore, or what is only inferred, and so may be otherwise: each can be set
 * for all runtimes or for one. The defaults are what the developer guide says, else what was
 * reported most. Marks: [D] documented, [W] reported by users, [I] inferred.
 */
const switchesSchema = z.strictObject({
  /**
   * Which header takes a request to an MCP runtime's microVM [D: `mcp-session-id`]. `either` looks
   * at Mcp-Session-Id first and at the runtime session id where there is none [W].
   */
  routeMcpBy: z.enum(['mcp-session-id', 'runtime-session-id', 'either']).default('mcp-session-id'),
  /** Which id StopRuntimeSession takes of an MCP runtime [I]. */
  stopBy: z.enum(['runtime-session-id', 'mcp-session-id', 'either']).default('runtime-session-id'),
  /** Where an MCP request goes that carries no id: to a microVM of its own [W], or a shared one. */
  withoutSessionId: z.enum(['new-microvm', 'shared-microvm']).default('new-microvm'),
  /**
   * What routes the messages of MCP 2026-07-28, which has no sessions [I]. `none` gives each
   * request a new microVM, whatever hint it carries.
   */
  sessionlessAffinity: z
    .enum(['mcp-session-id', 'runtime-session-id', 'none'])
    .default('mcp-session-id'),
  /** A stateless runtime's answer to an Mcp-Session-Id that nobody issued [W: accepted]. */
  inventedIdOnStateless: z.enum(['accept', 'refuse']).default('accept'),
  /**
   * A stateful runtime's answer to an Mcp-Session-Id that nobody issued [D: refused]. `forward`
   * starts a microVM and lets the server refuse it in its own words.
   */
  inventedIdOnStateful: z.enum(['refuse', 'forward']).default('refuse'),
  /** How an invented Mcp-Session-Id is refused: 404 `Session not found`, or 400 [I]. */
  refusedId: z.enum(['not-found', 'bad-request']).default('not-found'),
  /**
   * What a stateful client's id gets once its microVM is gone: 404 [D], or [W] 400 with -32000
   * `Server not initialized`, -32602 `Invalid request parameters`, -32603 `An internal error
   * occurred…`, or whatever a fresh container answers.
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
  /** The status for an accepted notification: 202 [D], 204 [W], or the container's own. */
  notificationStatus: z
    .union([z.literal(202), z.literal(204), z.literal('container')], '202, 204 or container')
    .default(202),
  /** What an id minted for a stateless runtime looks like: its own, or the runtime session id [I]. */
  mintedMcpSessionId: z.enum(['own', 'runtime-session-id']).default('own'),
  /** Whether answers carry X-Amzn-Bedrock-AgentCore-Runtime-Session-Id [I for MCP runtimes]. */
  returnRuntimeSessionId: z.boolean().default(true),
  /**
   * Whether AgentCore's own refusals of an invocation carry the runtime session id of the request
   * as well [I: no page says that they do not].
   */
  sessionIdOnRefusals: z.boolean().default(false),
  /** Whether answers of MCP runtimes carry Mcp-Session-Id [D: always]. */
  returnMcpSessionId: z.boolean().default(true),
  /** Platform errors of MCP runtimes: JSON-RPC errors [D], or plain statuses as of HTTP runtimes. */
  mcpErrors: z.enum(['json-rpc', 'status']).default('json-rpc'),
  /**
   * A request to an MCP runtime that is not signed as it should be: 403 / -32002 [D], 401 / -32001
   * [I], or the plain status and error type that other services give [I].
   */
  mcpSignatureErrors: z.enum(['access-denied', 'unauthorized', 'status']).default('access-denied'),
  /**
   * A good token with a claim that the authorizer does not want: 401 as any other [I], or 403 with
   * the claim's name [I].
   */
  jwtClaimErrors: z.enum(['unauthorized', 'access-denied']).default('unauthorized'),
  /** Seconds by which `exp` and `nbf` of a token may be off [I]. */
  jwtLeeway: z.number().min(0).max(3600).default(0),
  /** A revoked access token: it is good until it expires, for only its claims are read, or it is refused [I]. */
  revokedTokens: z.enum(['accept', 'refuse']).default('accept'),
  /** How StopRuntimeSession is authorized of a runtime that takes a JWT [I]. */
  stopJwtBy: z.enum(['bearer', 'sigv4', 'either']).default('bearer'),
  /** A 4xx of an MCP container: passed through [W], or made a platform error. 5xx always is one. */
  containerClientErrors: z.enum(['pass', 'wrap']).default('pass'),
  /** A second operation on a session that is starting or stopping: conflict [D], or it waits. */
  conflictWhileChanging: z.boolean().default(true),
  /** A container that exits by itself: ends its session, or is started again on the next invoke [I]. */
  exitedContainer: z.enum(['stops-session', 'restarts']).default('stops-session'),
  /**
   * What a call gets whose container, or the microVM with it, is gone before it answered [I]: the
   * error of a failed container, an internal error, a load balancer's HTML, or a reset connection.
   */
  lostCall: z
    .enum(['container-failed', 'internal', 'bad-gateway', 'reset'])
    .default('container-failed'),
  /** A stopped session's container keeps running until its idle timeout or maximum lifetime [W]. */
  containerOutlivesStop: z.boolean().default(false),
  /** Milliseconds of silence after which a stream is cut in the middle; 0 is never [W]. */
  cutSilentStreamsAfter: milliseconds.default(0),
  /** Whether `Mcp-Param-*` headers reach the container, which no list names [I]. */
  forwardMcpParamHeaders: z.boolean().default(true),
  /** Whether the platform sends a `ping` of its own to a new MCP container [W]. */
  platformPing: z.boolean().default(false),
  /** Status of GET, DELETE and the like on `/invocations`, which are not modelled [I]. */
  unmodelledMethodStatus: z
    .union([z.literal(405), z.literal(404), z.literal(403)], '405, 404 or 403')
    .default(405),
  /** Most microVMs at once in the account, warm ones included. Over it: 402 / -32003 [W]. */
  maxVms: z.number().int().min(1).default(100),
  /** The sentence of that 402 [W]. `{account}` is the account. */
  maxVmsText: z.string().default('maxVms limit exceeded for account {account}'),
  /** Invocations a second of one runtime; 0 is no limit, AWS's is 200 [D]. */
  maxInvocationsPerSecond: z.number().int().min(0).default(0),
  /** New sessions a minute of one runtime; 0 is no limit, AWS's is 400 [D]. */
  maxNewSessionsPerMinute: z.number().int().min(0).default(0),
  /** GetAgentRuntime calls a second, of the whole account; 0 is no limit, AWS's is 50 [D]. */
  maxGetsPerSecond: z.number().int().min(0).default(0),
  /** Calls a second of each list of the control plane; 0 is no limit, AWS's is 5 [D]. */
  maxListsPerSecond: z.number().int().min(0).default(0),
  /**
   * What a refresh of an SSO token does with the refresh token [I]: a new one takes its place, the
   * same one comes back, or it stays good and the answer carries none.
   */
  ssoRefreshTokens: z.enum(['rotate', 'keep', 'omit']).default('rotate'),
  /** What the SSO portal says of an account or role that a user has not: 403 [W], or 404 [I]. */
  ssoNoAccess: z.enum(['forbidden', 'not-found']).default('forbidden'),
  /** What a throttled request is told instead of the usual sentence; empty keeps that [W]. */
  throttleText: z.string().default(''),
  /** Seconds until an answer that is not a stream is given up [D]. */
  synchronousLimit: seconds.default(900),
  /** Seconds until a stream is cut [D]. */
  streamingLimit: seconds.default(3600),
});

export type Switches = z.output<typeof switchesSchema>;

/** Some of the switches, as a configuration writes them: what is absent keeps its position. */
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
