import * as z from 'zod';
import { milliseconds } from './switches.ts';

// Faults to inject: their schema, and the operations and methods that they can select.

/** Errors of the platform, without signature errors. */
const PLATFORM_ERROR_KINDS = [
  'unauthorized',
  'access-denied',
  'throttled',
  'quota-exceeded',
  'not-found',
  'conflict',
  'retryable-conflict',
  'validation',
  'container-failed',
  'not-acceptable',
  'internal',
] as const;

export type PlatformErrorKind = (typeof PLATFORM_ERROR_KINDS)[number];

/** The requests to which a fault applies, and how often. */
const aim = {
  /** Name of a runtime. Absent: all runtimes. */
  runtime: z.string().optional(),
  operation: z
    .enum(['invoke', 'stop', 'sts', 'control', 'oauth', 'gateway', 'sso-oidc', 'sso'])
    .default('invoke'),
  /**
   * A JSON-RPC method, such as `tools/call`. For STS, SSO and the control plane, the name of the
   * API operation. For OAuth, `metadata`, `jwks`, `token` or `revoke`.
   */
  method: z.string().optional(),
  /** The name of a tool (`params.name`) or the URI of a resource (`params.uri`). */
  tool: z.string().optional(),
  /** The runtime session id or Mcp-Session-Id of the request. */
  sessionId: z.string().optional(),
  /** Number of matching requests without the fault, before the first one with it. */
  skip: z.number().int().min(0).default(0),
  times: z.union([z.number().int().min(1), z.literal('always')], '1 or more, or always').default(1),
};

/**
 * `before`: the container does not receive the request. `after`: the container handles the request,
 * and its response is discarded.
 */
const phase = z.enum(['before', 'after']).default('before');

const count = z.number().int().min(0).optional();

/** The part of the container's response to forward. */
const amount = { afterEvents: count, afterBytes: count };

/**
 * The time at which the microVM or container ends: before the request, after the container received
 * it, or after the response.
 */
const moment = {
  when: z.enum(['before', 'during', 'after']).default('before'),
  /** Only for `during`: milliseconds after the container received the request. */
  afterMs: milliseconds.optional(),
  /** Only for `during`: number of stream events to send to the client first. */
  afterEvents: count,
};

const faultFields = z.discriminatedUnion('kind', [
  /** Any HTTP response, for example an error of the service or the HTML page of a load balancer. */
  z.strictObject({
    ...aim,
    phase,
    kind: z.literal('status'),
    status: z.number().int().min(200).max(599),
    /** Default: `{"message"}` for a status of 400 or more, otherwise empty. */
    body: z.string().optional(),
    contentType: z.string().optional(),
    /** Value of `x-amzn-ErrorType`. */
    errorType: z.string().optional(),
    message: z.string().optional(),
    /** Value of `Retry-After`, in seconds. */
    retryAfter: z.number().min(0).optional(),
  }),
  /** A JSON-RPC error with any code. Default status: 200. */
  z.strictObject({
    ...aim,
    phase,
    kind: z.literal('json-rpc-error'),
    code: z.number().int(),
    message: z.string().default('Injected error'),
    data: z.unknown().optional(),
    status: z.number().int().min(200).max(599).default(200),
  }),
  /** A platform error in the format of the runtime's protocol. */
  z.strictObject({
    ...aim,
    phase,
    kind: z.literal('platform-error'),
    error: z.enum(PLATFORM_ERROR_KINDS),
    message: z.string().optional(),
    retryAfter: z.number().min(0).optional(),
  }),
  z.strictObject({
    ...aim,
    phase,
    kind: z.literal('throttle'),
    retryAfter: z.number().min(0).optional(),
  }),
  /**
   * An error for expired credentials. AWS checks credentials before any work, so there is no phase
   * `after`.
   */
  z.strictObject({
    ...aim,
    phase: z.literal('before').default('before'),
    kind: z.literal('expired-credentials'),
  }),
  /** Resets the connection without a response. */
  z.strictObject({ ...aim, phase, kind: z.literal('reset') }),
  /** 200 with an empty body. */
  z.strictObject({ ...aim, phase, kind: z.literal('empty') }),
  /** 200 with a truncated JSON-RPC response. */
  z.strictObject({ ...aim, phase, kind: z.literal('broken-json') }),
  /** No response. The connection stays open until the client closes it. */
  z.strictObject({ ...aim, phase, kind: z.literal('silence') }),
  /** Cuts the container's response after a number of events or bytes. */
  z.strictObject({
    ...aim,
    kind: z.literal('cut'),
    ...amount,
    /** How the connection is closed: `end` closes it in order, `reset` sends a TCP reset. */
    by: z.enum(['end', 'reset']).default('end'),
  }),
  /**
   * Stops the container's response after a number of events or bytes. The connection stays open.
   */
  z.strictObject({
    ...aim,
    kind: z.literal('stall'),
    ...amount,
  }),
  /** Delays the request to the container. */
  z.strictObject({ ...aim, kind: z.literal('delay'), ms: milliseconds }),
  /**
   * Replaces the container within its microVM. The session continues with a new server process,
   * without its state.
   */
  z.strictObject({ ...aim, kind: z.literal('restart-container'), ...moment }),
  /** Ends the microVM and stops its session. */
  z.strictObject({ ...aim, kind: z.literal('kill-microvm'), ...moment }),
]);

/** The schema of a fault. Rejects faults that can have no effect. */
export const faultSchema = faultFields.superRefine((fault, context) => {
  const { operation, kind } = fault;
  const refuse = (field: string, message: string) =>
    context.addIssue({ code: 'custom', path: [field], message });
  if ('when' in fault) {
    if (fault.when !== 'during') {
      if (fault.afterMs !== undefined) refuse('afterMs', 'only during a request');
      if (fault.afterEvents !== undefined) refuse('afterEvents', 'only during a request');
    } else if (fault.afterMs !== undefined && fault.afterEvents !== undefined) {
      refuse('afterEvents', 'either this or afterMs');
    }
  }
  if (operation === 'invoke') return;
  if (!('phase' in fault)) refuse('kind', `${kind} has no effect on ${operation}`);
  else if (fault.phase !== 'before' && !isSso(operation))
    refuse('phase', `${operation} has only before`);
  for (const field of NEVER_IN[operation]) {
    if (fault[field] !== undefined) refuse(field, `requests of ${operation} have none`);
  }
  if (operation in METHODS && fault.method !== undefined) {
    const names: readonly string[] = METHODS[operation as keyof typeof METHODS];
    if (!names.includes(fault.method)) {
      refuse('method', `${operation} has only ${names.join(', ')}`);
    }
  }
  if (operation !== 'control' || fault.method === undefined) return;
  if (!CONTROL_OPERATIONS.some((name) => name === fault.method)) {
    refuse('method', `the control plane has only ${CONTROL_OPERATIONS.join(', ')}`);
  } else if (fault.method === 'ListAgentRuntimes' && fault.runtime !== undefined) {
    refuse('runtime', 'ListAgentRuntimes is for all of them');
  } else if (fault.method.includes('Gateway') && fault.runtime !== undefined) {
    refuse('runtime', `requests of ${fault.method} have none`);
  }
});

/** The operations of the control plane that the local AgentCore supports. */
export const CONTROL_OPERATIONS = [
  'GetAgentRuntime',
  'ListAgentRuntimes',
  'ListAgentRuntimeEndpoints',
  'ListAgentRuntimeVersions',
  'GetAgentRuntimeEndpoint',
  'ListTagsForResource',
  'GetGatewayTarget',
  'GetGateway',
  'ListGateways',
  'ListGatewayTargets',
] as const;

/** The operations of SSO-OIDC that the local AgentCore supports. */
export const SSO_OIDC_OPERATIONS = [
  'RegisterClient',
  'StartDeviceAuthorization',
  'CreateToken',
] as const;

/** All operations of the SSO portal. */
export const SSO_OPERATIONS = [
  'ListAccounts',
  'ListAccountRoles',
  'GetRoleCredentials',
  'Logout',
] as const;

/** Endpoints of the OAuth server. */
export const OAUTH_ENDPOINTS = ['metadata', 'jwks', 'token', 'revoke'] as const;

/** The actions of STS that the local AgentCore supports. */
export const STS_ACTIONS = [
  'GetCallerIdentity',
  'AssumeRole',
  'AssumeRoleWithWebIdentity',
] as const;

const METHODS = {
  'sso-oidc': SSO_OIDC_OPERATIONS,
  sso: SSO_OPERATIONS,
  oauth: OAUTH_ENDPOINTS,
  sts: STS_ACTIONS,
};

function isSso(operation: string): boolean {
  return operation === 'sso' || operation === 'sso-oidc';
}

/** Selectors without any matching request, by operation. */
const NEVER_IN = {
  stop: ['method', 'tool'],
  sts: ['runtime', 'tool', 'sessionId'],
  control: ['tool', 'sessionId'],
  oauth: ['runtime', 'tool', 'sessionId'],
  gateway: ['runtime'],
  'sso-oidc': ['runtime', 'tool', 'sessionId'],
  sso: ['runtime', 'tool', 'sessionId'],
} as const;

/** A fault as written in tests, in the configuration file and after `--fault`. */
export type Fault = z.input<typeof faultSchema>;

/** A valid fault, with all defaults. */
export type ArmedFault = z.output<typeof faultSchema>;

/** The fields of a runtime that decide whether a fault can match. */
export interface AimedRuntime {
  readonly name: string;
  readonly protocol: 'MCP' | 'HTTP';
}

/**
 * Returns the reason if a fault can match no request of these runtimes. `undefined` if it can match
 * one.
 */
export function validateFaultTarget(
  fault: ArmedFault,
  runtimes: readonly AimedRuntime[],
): { readonly field: 'runtime' | 'method' | 'tool'; readonly message: string } | undefined {
  // Requests for other operations belong to no runtime.
  if (!['invoke', 'stop', 'control'].includes(fault.operation)) return undefined;
  const names = runtimes.map(({ name }) => name).join(', ');
  const aimed = runtimes.filter(
    ({ name }) => fault.runtime === undefined || fault.runtime === name,
  );
  if (fault.runtime !== undefined && aimed.length === 0) {
    return { field: 'runtime', message: `no runtime has this name, only ${names}` };
  }
  if (fault.operation === 'control') return undefined;
  const field = fault.method !== undefined ? 'method' : 'tool';
  if (fault[field] === undefined || aimed.some(({ protocol }) => protocol === 'MCP')) return;
  return { field, message: 'requests to HTTP runtimes have none' };
}
