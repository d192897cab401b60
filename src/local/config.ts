import { createHash } from 'node:crypto';
import * as z from 'zod';
import { AgentCoreError } from '../error.ts';
import {
  ANY_LOCAL_TOKEN,
  type JwtAuthorizer,
  jwtAuthorizerSchema,
} from './authorization/jwt-authorizer.ts';
import { milliseconds, seconds } from './durations.ts';
import { faultSchema, mistakeOfAim } from './fault.ts';
import type { GatewayConfig } from './gateways/gateway.ts';
import { gatewaysSchema } from './gateways/gateway-config.ts';
import { resolveGateways } from './gateways/resolve-gateways.ts';
import { type OAuthConfig, oauthSchema } from './oauth/oauth-config.ts';
import { type SsoConfig, ssoSchema } from './services/sso/sso-config.ts';
import {
  type AccessKeyConfig,
  accessKeySchema,
  type RoleConfig,
  roleSchema,
} from './signatures/principal-config.ts';
import {
  DEFAULT_SWITCHES,
  type Switches,
  type SwitchesInput,
  switchesInputSchema,
} from './switches.ts';

const version = z.number().int().min(1).max(99_999);
const endpointName = z.string().min(1);

const containerSettings = {
  /** Program and arguments. `{port}` in them, or in a value of `env`, is the port to listen on. */
  command: z
    .array(
      z.string().min(1),
      'expected a list of the program and its arguments, such as [node, server.mjs]',
    )
    .min(1),
  /** Where the command runs; relative to the configuration file. */
  cwd: z.string().optional(),
  /** Added to the environment of the local runtime. PORT and HOST are set where it does not name them. */
  env: z.record(z.string(), z.string()).default({}),
  /** Seconds without an invocation until a session's microVM ends. AWS allows 60 and more. */
  idleTimeout: seconds.default(900),
  /** Seconds until a session's microVM ends, whatever it does. */
  maxLifetime: seconds.max(1_209_600).default(28_800),
  /** Milliseconds that a start takes longer, as a cold microVM does. The warm ones skip it. */
  coldStart: milliseconds.default(0),
  /** How many microVMs wait ready for a new session. */
  warm: z.number().int().min(0).default(0),
  /** Seconds that a container has until it must listen. */
  initializationTimeout: seconds.default(30),
  /** Milliseconds from SIGTERM to SIGKILL. */
  stopGrace: milliseconds.max(10_000).default(1000),
  /** The newest version, of as many as that. They differ in nothing but their number. */
  version: version.default(1),
  /** What may be invoked as a qualifier; one without a version of its own has the newest. */
  endpoints: z
    .array(z.union([endpointName, z.strictObject({ name: endpointName, version })]))
    .default(['DEFAULT']),
  /** Request headers that reach the container besides AgentCore's own, as in the control plane. */
  requestHeaderAllowlist: z.array(z.string().min(1)).max(20).default([]),
  /** Who may invoke: whoever signs, or whoever has a token. `JWT` takes any of the local server's. */
  authorizer: z.union([z.enum(['IAM', 'JWT']), jwtAuthorizerSchema]).default('IAM'),
  /** Whom the resource-based policy lets in from other accounts: ARNs, accounts, or `*`. */
  trustedPrincipals: z.array(z.string()).default([]),
  switches: switchesInputSchema.optional(),
};

const mcpRuntimeSchema = z.strictObject({
  ...containerSettings,
  protocol: z.literal('MCP'),
  /** `stateful` where the server issues Mcp-Session-Ids of its own. */
  sessions: z.enum(['stateless', 'stateful']).default('stateless'),
  path: z.string().startsWith('/').default('/mcp'),
});

const httpRuntimeSchema = z.strictObject({
  ...containerSettings,
  protocol: z.literal('HTTP'),
  path: z.string().startsWith('/').default('/invocations'),
});

const runtimeSchema = z.preprocess(
  // The protocol may be left out, and it is MCP then; a union needs it spelled out.
  (value) => (isObject(value) && !('protocol' in value) ? { protocol: 'MCP', ...value } : value),
  z.discriminatedUnion('protocol', [mcpRuntimeSchema, httpRuntimeSchema]),
);

const ACCOUNT_RULE = 'twelve digits, in quotes';
const NAME_RULE = 'a name begins with a letter, and has letters, digits and _, 48 at most';

/** The sentence of a mistake in `runtimes` itself; zod's own where it says enough. */
function mistakeInRuntimes({ code, input }: { readonly code: string; readonly input?: unknown }) {
  if (code === 'invalid_key') return NAME_RULE;
  return input === undefined ? 'missing: name a runtime here, and its command' : undefined;
}

const localConfigFields = z.strictObject({
  region: z
    .string()
    .regex(/^[a-z]{2}(-[a-z]+)+-\d{1,2}$/, 'a region such as us-east-1')
    .default('us-east-1'),
  account: z
    .string(ACCOUNT_RULE)
    .regex(/^\d{12}$/, ACCOUNT_RULE)
    .default('123456789012'),
  /** The loopback port; 0 is any that is free. Absent: 8787 for the program, any for tests. */
  port: z.number().int().min(0).max(65_535).optional(),
  /** Who may sign. Absent: one well-known pair for tests. */
  accessKeys: z.array(accessKeySchema).min(1).optional(),
  /** Which roles AssumeRole knows. */
  roles: z.array(roleSchema).default([]),
  runtimes: z.record(z.string().regex(/^[a-zA-Z][a-zA-Z0-9_]{0,47}$/, NAME_RULE), runtimeSchema, {
    error: mistakeInRuntimes,
  }),
  /** Who may sign in through IAM Identity Center. Absent: there is none. */
  sso: ssoSchema.optional(),
  /** MCP servers over the tools of runtimes, or of commands of their own. */
  gateways: gatewaysSchema,
  /** The OAuth server, for runtimes and gateways that take a JWT. */
  oauth: oauthSchema.prefault({}),
  /** Seconds that the clock here is ahead of the machine's; behind it, where negative. */
  clockSkew: z.number().default(0),
  /** For all runtimes; a runtime's own `switches` come before these. */
  switches: switchesInputSchema.optional(),
  /** Faults that wait from the start. */
  faults: z.array(faultSchema).default([]),
});

export const localConfigSchema = localConfigFields.superRefine(
  ({ runtimes, gateways, faults }, context) => {
    for (const [runtime, { endpoints, version: newest }] of Object.entries(runtimes)) {
      for (const [index, endpoint] of endpoints.entries()) {
        if (typeof endpoint === 'string' || endpoint.version <= newest) continue;
        const path = ['runtimes', runtime, 'endpoints', index, 'version'];
        context.addIssue({ code: 'custom', path, message: `the newest version is ${newest}` });
      }
    }
    const known = Object.entries(runtimes).map(([name, { protocol }]) => ({ name, protocol }));
    for (const [index, fault] of faults.entries()) {
      const mistake = mistakeOfAim(fault, known);
      if (!mistake) continue;
      const { field, message } = mistake;
      context.addIssue({ code: 'custom', path: ['faults', index, field], message });
    }
    for (const [gateway, { targets }] of Object.entries(gateways)) {
      for (const [target, server] of Object.entries(targets)) {
        if (!('runtime' in server) || runtimes[server.runtime]?.protocol === 'MCP') continue;
        const path = ['gateways', gateway, 'targets', target, 'runtime'];
        context.addIssue({ code: 'custom', path, message: 'no MCP runtime has this name' });
      }
    }
  },
);

type McpRuntimeInput = z.input<typeof mcpRuntimeSchema>;
export type RuntimeInput =
  | (Omit<McpRuntimeInput, 'protocol'> & { readonly protocol?: 'MCP' | undefined })
  | z.input<typeof httpRuntimeSchema>;

/** The configuration as a test or a file writes it: all but the runtimes has a default. */
export type LocalConfig = Omit<z.input<typeof localConfigSchema>, 'runtimes'> & {
  readonly runtimes: Readonly<Record<string, RuntimeInput>>;
};

type RuntimeSettings = z.output<typeof runtimeSchema>;

/** An endpoint of a runtime, and the version that it serves. */
export interface EndpointConfig {
  readonly name: string;
  readonly version: number;
}

/** A runtime with all its settings, its ARN and its switches. */
export type RuntimeConfig = Omit<RuntimeSettings, 'switches' | 'authorizer' | 'endpoints'> & {
  readonly name: string;
  /** The name, a dash and ten characters; the same at each start, so that an ARN can be kept. */
  readonly runtimeId: string;
  readonly arn: string;
  readonly switches: Switches;
  readonly authorizer: 'IAM' | JwtAuthorizer;
  readonly endpoints: readonly EndpointConfig[];
  /** `undefined` for a runtime that is not MCP. */
  readonly sessions: 'stateless' | 'stateful' | undefined;
};

export interface ResolvedConfig {
  readonly region: string;
  readonly account: string;
  readonly partition: string;
  readonly port: number | undefined;
  readonly accessKeys: readonly [AccessKeyConfig, ...AccessKeyConfig[]];
  readonly roles: readonly RoleConfig[];
  readonly runtimes: readonly RuntimeConfig[];
  readonly gateways: readonly GatewayConfig[];
  readonly oauth: OAuthConfig;
  /** Seconds. */
  readonly clockSkew: number;
  readonly switches: Switches;
  readonly sso: SsoConfig | undefined;
  readonly faults: z.output<typeof localConfigSchema>['faults'];
}

/** The pair that AWS's documentation uses for examples: nobody's. */
const EXAMPLE_KEY: AccessKeyConfig = {
  id: 'AKIAIOSFODNN7EXAMPLE',
  secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  denied: [],
};

/**
 * Fills a configuration in.
 *
 * @throws {AgentCoreError} `config`, with every field that is wrong.
 */
export function resolveConfig(config: LocalConfig): ResolvedConfig {
  const parsed = localConfigSchema.safeParse(config);
  if (!parsed.success) {
    throw new AgentCoreError(
      'config',
      `Not a configuration of the local runtime:\n${z.prettifyError(parsed.error)}`,
    );
  }
  return resolveParsed(parsed.data);
}

export function resolveParsed(config: z.output<typeof localConfigSchema>): ResolvedConfig {
  const { region, account } = config;
  const partition = partitionOf(region);
  const switches: Switches = { ...DEFAULT_SWITCHES, ...defined(config.switches) };
  const arnPrefix = `arn:${partition}:bedrock-agentcore:${region}:${account}:`;
  const runtimeOf = (name: string, settings: RuntimeSettings): RuntimeConfig => {
    const runtimeId = `${name}-${suffixOf(name)}`;
    return {
      ...settings,
      name,
      runtimeId,
      arn: `${arnPrefix}runtime/${runtimeId}`,
      endpoints: settings.endpoints.map((endpoint) =>
        typeof endpoint === 'string' ? { name: endpoint, version: settings.version } : endpoint,
      ),
      authorizer: settings.authorizer === 'JWT' ? ANY_LOCAL_TOKEN : settings.authorizer,
      sessions: settings.protocol === 'MCP' ? settings.sessions : undefined,
      switches: { ...switches, ...defined(settings.switches) },
    };
  };
  const runtimes = Object.entries(config.runtimes).map(([name, settings]) =>
    runtimeOf(name, settings),
  );
  const gateways = resolveGateways(config.gateways, {
    arnPrefix,
    suffixOf,
    runtimeOf: (name, command) =>
      runtimeOf(name, mcpRuntimeSchema.parse({ protocol: 'MCP', ...command })),
  });
  const [first = EXAMPLE_KEY, ...others] = config.accessKeys ?? [];
  return {
    region,
    account,
    partition,
    port: config.port,
    accessKeys: [first, ...others],
    roles: config.roles,
    runtimes,
    gateways,
    oauth: config.oauth,
    clockSkew: config.clockSkew,
    switches,
    sso: config.sso,
    faults: config.faults,
  };
}

function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn';
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
}

function suffixOf(name: string): string {
  const digits = createHash('sha256').update(name).digest('hex').slice(0, 15);
  return Number.parseInt(digits, 16).toString(36).padStart(10, '0').slice(-10);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Without the keys that are present but undefined, which would hide a default. */
function defined(switches: SwitchesInput = {}): Partial<Switches> {
  return Object.fromEntries(Object.entries(switches).filter(([, value]) => value !== undefined));
}
