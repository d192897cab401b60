import { z } from 'zod';
import { AgentCoreError, messageOf } from '../error.ts';
import { PLATFORM_ERROR_KINDS } from './answers/platform-error.ts';
import { milliseconds } from './durations.ts';

/** Which requests a fault meets, when, and how often. */
const aim = {
  /** A runtime by its name in the configuration; absent is any. */
  runtime: z.string().optional(),
  operation: z.enum(['invoke', 'stop', 'sts']).default('invoke'),
  /** A JSON-RPC method, such as `tools/call`; for STS the action. Absent is any. */
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
    afterEvents: z.number().int().min(0).optional(),
    afterBytes: z.number().int().min(0).optional(),
  }),
  /** The container's answer stops after so many events or bytes, and the connection stays open. */
  z.strictObject({
    ...aim,
    kind: z.literal('stall'),
    afterEvents: z.number().int().min(0).optional(),
    afterBytes: z.number().int().min(0).optional(),
  }),
  /** The request reaches the container this much later. */
  z.strictObject({ ...aim, kind: z.literal('delay'), ms: milliseconds }),
  /** The container is replaced within its microVM: the session goes on with a server that forgot it. */
  z.strictObject({
    ...aim,
    kind: z.literal('restart-container'),
    when: z.enum(['before', 'during', 'after']).default('before'),
  }),
  /** The microVM is gone and its session stopped. `during` is once the container has the request. */
  z.strictObject({
    ...aim,
    kind: z.literal('kill-microvm'),
    when: z.enum(['before', 'during', 'after']).default('before'),
  }),
]);

/** A fault that could never do anything is a mistake of whoever wrote it. */
export const faultSchema = faultFields.superRefine((fault, context) => {
  const { operation, kind } = fault;
  if (operation === 'invoke') return;
  const refuse = (field: string, message: string) =>
    context.addIssue({ code: 'custom', path: [field], message });
  if (!('phase' in fault)) refuse('kind', `${kind} has no effect on ${operation}`);
  else if (fault.phase !== 'before') refuse('phase', `${operation} has only before`);
  for (const field of NEVER_IN[operation]) {
    if (fault[field] !== undefined) refuse(field, `requests of ${operation} have none`);
  }
});

/** What no request of an operation carries. */
const NEVER_IN = {
  stop: ['method', 'tool'],
  sts: ['runtime', 'tool', 'sessionId'],
} as const;

/** A fault as tests, the configuration file and `--fault` write it. */
export type Fault = z.input<typeof faultSchema>;
export type ArmedFault = z.output<typeof faultSchema>;

/** What a fault is matched against. */
export interface FaultTarget {
  readonly operation: 'invoke' | 'stop' | 'sts';
  readonly runtime?: string | undefined;
  readonly method?: string | undefined;
  readonly tool?: string | undefined;
  readonly sessionIds?: readonly (string | undefined)[];
}

interface AimedRuntime {
  readonly name: string;
  readonly protocol: 'MCP' | 'HTTP';
}

/** Why a fault can meet no request of these runtimes; `undefined` where it can. */
export function mistakeOfAim(
  fault: ArmedFault,
  runtimes: readonly AimedRuntime[],
): { readonly field: 'runtime' | 'method' | 'tool'; readonly message: string } | undefined {
  if (fault.operation === 'sts') return undefined;
  const names = runtimes.map(({ name }) => name).join(', ');
  const aimed = runtimes.filter(
    ({ name }) => fault.runtime === undefined || fault.runtime === name,
  );
  if (fault.runtime !== undefined && aimed.length === 0) {
    return { field: 'runtime', message: `no runtime has this name, only ${names}` };
  }
  const field = fault.method !== undefined ? 'method' : 'tool';
  if (fault[field] === undefined || aimed.some(({ protocol }) => protocol === 'MCP')) return;
  return { field, message: 'requests to HTTP runtimes have none' };
}

export interface InjectedFault {
  /** How many requests it has met, without those that it skipped. */
  readonly hits: number;
  /** Takes it out again. */
  remove(): void;
}

interface Rule {
  readonly fault: ArmedFault;
  skipped: number;
  hits: number;
}

/** The faults that wait for their requests. The oldest one that fits a request meets it, alone. */
export class Faults {
  readonly #runtimes: readonly AimedRuntime[];
  #rules: Rule[] = [];

  constructor(runtimes: readonly AimedRuntime[]) {
    this.#runtimes = runtimes;
  }

  /** @throws {AgentCoreError} `config` where the fault is not one, or can meet no request. */
  inject(fault: Fault): InjectedFault {
    const parsed = faultSchema.safeParse(fault);
    if (!parsed.success) {
      throw new AgentCoreError('config', `Not a fault: ${oneLine(parsed.error)}`);
    }
    const mistake = mistakeOfAim(parsed.data, this.#runtimes);
    if (mistake) {
      throw new AgentCoreError('config', `Not a fault: ${mistake.field}: ${mistake.message}`);
    }
    const rule: Rule = { fault: parsed.data, skipped: 0, hits: 0 };
    this.#rules.push(rule);
    return {
      get hits() {
        return rule.hits;
      },
      remove: () => {
        this.#rules = this.#rules.filter((other) => other !== rule);
      },
    };
  }

  clear(): void {
    this.#rules = [];
  }

  /** The fault that this request meets, counted as used. */
  take(target: FaultTarget): ArmedFault | undefined {
    if (this.#rules.length === 0) return undefined;
    for (const rule of this.#rules) {
      if (!fits(rule.fault, target)) continue;
      if (rule.skipped < rule.fault.skip) {
        rule.skipped += 1;
        continue;
      }
      if (rule.fault.times !== 'always' && rule.hits >= rule.fault.times) continue;
      rule.hits += 1;
      return rule.fault;
    }
    return undefined;
  }
}

function fits(fault: ArmedFault, target: FaultTarget): boolean {
  return (
    fault.operation === target.operation &&
    (fault.runtime === undefined || fault.runtime === target.runtime) &&
    (fault.method === undefined || fault.method === target.method) &&
    (fault.tool === undefined || fault.tool === target.tool) &&
    (fault.sessionId === undefined || (target.sessionIds ?? []).includes(fault.sessionId))
  );
}

/** The short form of `--fault`, for sentences that have to say what was expected. */
const FAULT_SHAPE =
  '[before:|during:|after:]KIND[=VALUE][@METHOD[:TOOL]][*TIMES], or a JSON object';

const SHORT_FAULT =
  /^(?:(before|during|after):)?([a-z-]+)(?:=([^@*]+))?(?:@([^:*]+)(?::([^*]+))?)?(\*\d*)?$/;

/** Which setting the VALUE of the short form is, by kind. */
const VALUE_OF: Readonly<Record<string, string>> = {
  status: 'status',
  'json-rpc-error': 'code',
  'platform-error': 'error',
  throttle: 'retryAfter',
  cut: 'afterEvents',
  stall: 'afterEvents',
  delay: 'ms',
};

/**
 * Reads a fault from a command line: `throttle*3`, `status=503@tools/call:add`, `cut=2@tools/call`,
 * `after:reset@tools/call`, or a JSON object. A `*` without a number is always.
 *
 * @throws {AgentCoreError} `usage`
 */
export function parseFault(text: string): ArmedFault {
  const raw = text.trim().startsWith('{') ? faultFromJson(text) : faultFromShortForm(text.trim());
  const parsed = faultSchema.safeParse(raw);
  if (!parsed.success) {
    throw new AgentCoreError(
      'usage',
      `Not a fault (${oneLine(parsed.error)}), expected ${FAULT_SHAPE}: ${text}`,
    );
  }
  return parsed.data;
}

function oneLine({ issues }: z.ZodError): string {
  return issues
    .map(({ path, message }) => [...path.map(String), message].join(': ').replace(/\s+/g, ' '))
    .join('; ');
}

function faultFromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AgentCoreError('usage', `Not a fault, its JSON is broken (${messageOf(cause)})`, {
      cause,
    });
  }
}

function faultFromShortForm(text: string): unknown {
  const match = SHORT_FAULT.exec(text);
  if (!match) throw new AgentCoreError('usage', `Not a fault, expected ${FAULT_SHAPE}: ${text}`);
  const [, when, kind, value, method, tool, times] = match;
  const valueKey = VALUE_OF[kind as string];
  const number = Number(value);
  return {
    kind,
    ...(value !== undefined && {
      [valueKey ?? 'value']: Number.isNaN(number) ? value : number,
    }),
    ...(when !== undefined && {
      [kind?.includes('-container') || kind === 'kill-microvm' ? 'when' : 'phase']: when,
    }),
    ...(method !== undefined && { method }),
    ...(tool !== undefined && { tool }),
    ...(times !== undefined && { times: times === '*' ? 'always' : Number(times.slice(1)) }),
  };
}
