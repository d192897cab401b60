import * as z from 'zod';
import { PLATFORM_ERROR_KINDS } from './answers/platform-error.ts';
import { milliseconds } from './durations.ts';

/** Which requests a fault meets, when, and how often. */
const aim = {
  /** A runtime by its name in the configuration; absent is any. */
  runtime: z.string().optional(),
  operation: z
    .enum(['invoke', 'stop', 'sts', 'control', 'oauth', 'gateway', 'sso-oidc', 'sso'])
    .default('invoke'),
  /**
   * A JSON-RPC method, such as `tools/call`; for STS, SSO and the control plane the API's name, for
   * OAuth `metadata`, `jwks`, `token` or `revoke`.
   */
  method: z.string().optional(),
  /** A tool's name (`params.name`), or a resource's URI. */
  tool: z.string().optional(),
  /** A runtime session id or Mcp-Session-Id that the request carries. */
  sessionId: z.string().optional(),
  /** How many matching requests pass unharmed first. */
  skip: z.number().int().min(0).default(0),
  times: z.union([z.number().int().min(1), z.literal('always')], '1 or more, or always').default(1),
};

/**
 * `before`: the container never sees the request. `after`: it has done its work and its answer is
 * thrown away.
 */
const phase = z.enum(['before', 'after']).default('before');

const count = z.number().int().min(0).optional();

/** How much of the container's answer goes through. */
const amount = { afterEvents: count, afterBytes: count };

/** When a microVM or a container ends: before the request, once the container has it, or after. */
const moment = {
  when: z.enum(['before', 'during', 'after']).default('before'),
  /** For `during`: so many milliseconds after the container got the request. */
  afterMs: milliseconds.optional(),
  /** For `during`: once the client has so many events of the answer's stream. */
  afterEvents: count,
};

const faultFields = z.discriminatedUnion('kind', [
  /** Any HTTP answer: an error of the service, a load balancer's HTML, … */
  z.strictObject({
    ...aim,
    phase,
    kind: z.literal('status'),
    status: z.number().int().min(200).max(599),
    /** Absent: `{"message"}` for a 4xx or 5xx. */
    body: z.string().optional(),
    contentType: z.string().optional(),
    /** The value of `x-amzn-ErrorType`. */
    errorType: z.string().optional(),
    message: z.string().optional(),
    /** The value of `Retry-After`, in seconds. */
    retryAfter: z.number().min(0).optional(),
  }),
  /** A JSON-RPC error of any code, by default in a 200. */
  z.strictObject({
    ...aim,
    phase,
    kind: z.literal('json-rpc-error'),
    code: z.number().int(),
    message: z.string().default('Injected error'),
    data: z.unknown().optional(),
    status: z.number().int().min(200).max(599).default(200),
  }),
  /** An error of the platform, in the shape that the runtime's protocol gives it. */
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
  /** The caller's credentials have expired. Only AWS's front door says so, before any work. */
  z.strictObject({
    ...aim,
    phase: z.literal('before').default('before'),
    kind: z.literal('expired-credentials'),
  }),
  /** The connection is reset without an answer. */
  z.strictObject({ ...aim, phase, kind: z.literal('reset') }),
  /** 200 and not a byte. */
  z.strictObject({ ...aim, phase, kind: z.literal('empty') }),
  /** 200 and half a JSON-RPC answer. */
  z.strictObject({ ...aim, phase, kind: z.literal('broken-json') }),
  /** No answer at all until the client gives up. */
  z.strictObject({ ...aim, phase, kind: z.literal('silence') }),
  /** The container's answer is cut after so many events or bytes, without a proper end. */
  z.strictObject({
    ...aim,
    kind: z.literal('cut'),
    ...amount,
    /** `end` closes the connection in order, `reset` does not. */
    by: z.enum(['end', 'reset']).default('end'),
  }),
  /** The container's answer stops after so many events or bytes, and the connection stays open. */
  z.strictObject({
    ...aim,
    kind: z.literal('stall'),
    ...amount,
  }),
  /** The request reaches the container this much later. */
  z.strictObject({ ...aim, kind: z.literal('delay'), ms: milliseconds }),
  /** The container is replaced within its microVM: the session goes on with a server that forgot it. */
  z.strictObject({ ...aim, kind: z.literal('restart-container'), ...moment }),
  /** The microVM is gone and its session stopped. */
  z.strictObject({ ...aim, kind: z.literal('kill-microvm'), ...moment }),
]);

/** A fault that could never do anything is a mistake of whoever wrote it. */
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

/** The operations of the control plane that are served. */
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

/** The operations of SSO-OIDC that are served. */
export const SSO_OIDC_OPERATIONS = [
  'RegisterClient',
  'StartDeviceAuthorization',
  'CreateToken',
] as const;

/** The operations of the SSO portal, all of them. */
export const SSO_OPERATIONS = [
  'ListAccounts',
  'ListAccountRoles',
  'GetRoleCredentials',
  'Logout',
] as const;

/** The endpoints of the OAuth server. */
export const OAUTH_ENDPOINTS = ['metadata', 'jwks', 'token', 'revoke'] as const;

/** The actions of STS that are served. */
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

/** What no request of an operation carries. */
const NEVER_IN = {
  stop: ['method', 'tool'],
  sts: ['runtime', 'tool', 'sessionId'],
  control: ['tool', 'sessionId'],
  oauth: ['runtime', 'tool', 'sessionId'],
  gateway: ['runtime'],
  'sso-oidc': ['runtime', 'tool', 'sessionId'],
  sso: ['runtime', 'tool', 'sessionId'],
} as const;

/** A fault as tests, the configuration file and `--fault` write it. */
export type Fault = z.input<typeof faultSchema>;
export type ArmedFault = z.output<typeof faultSchema>;

/** The parts of a runtime that an aim is checked against. */
export interface AimedRuntime {
  readonly name: string;
  readonly protocol: 'MCP' | 'HTTP';
}

/** Why a fault can meet no request of these runtimes; `undefined` where it can. */
export function mistakeOfAim(
  fault: ArmedFault,
  runtimes: readonly AimedRuntime[],
): { readonly field: 'runtime' | 'method' | 'tool'; readonly message: string } | undefined {
  // The others are aimed at no runtime.
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
