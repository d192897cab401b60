import { createHash } from 'node:crypto';
import * as z from 'zod';
import { AgentCoreError } from '../../base/errors.ts';
import { faultSchema, validateFaultTarget } from './faults.ts';
import {
  type AccessKeyConfig,
  accessKeySchema,
  type RoleConfig,
  roleSchema,
  type SsoConfig,
  ssoSchema,
} from './identity-schema.ts';
import {
  createKeyErrorMap,
  DEFAULT_SWITCHES,
  milliseconds,
  type Switches,
  type SwitchesInput,
  seconds,
  switchesInputSchema,
} from './switches.ts';

// The configuration of a local AgentCore: its schema, and its resolution to runtimes and gateways
// with ids and ARNs.

/** A gateway with its id and ARN. */
export interface GatewayConfig {
  readonly name: string;
  /** The name in lower case, a dash and ten characters. It is the same after a restart. */
  readonly gatewayId: string;
  readonly arn: string;
  readonly authorizer: 'AWS_IAM' | 'NONE' | JwtAuthorizer;
  readonly targets: readonly TargetConfig[];
  readonly sessions: boolean;
  /** Seconds. */
  readonly sessionTimeout: number;
}

export interface TargetConfig {
  readonly name: string;
  readonly targetId: string;
  /** The name of a runtime, or a server that belongs to this gateway only. */
  readonly server: string | RuntimeConfig;
}

/** The authorizer type in the format of the control plane. */
export function getAuthorizerType({ authorizer }: GatewayConfig): string {
  return typeof authorizer === 'string' ? authorizer : 'CUSTOM_JWT';
}

const version = z.number().int().min(1).max(99_999);

const endpointName = z.string().min(1);

/** Requirements for a token. The fields are those of `customJWTAuthorizer` in the control plane. */
const jwtAuthorizerSchema = z.strictObject({
  /** Default: the OAuth server of the local runtime. */
  discoveryUrl: z
    .url()
    .regex(
      /^.+\/\.well-known\/openid-configuration$/,
      'ends with /.well-known/openid-configuration',
    )
    .optional(),
  /**
   * `aud` must contain one of these. An empty list allows any token. This also applies to the lists
   * below.
   */
  allowedAudience: z.array(z.string().min(1)).default([]),
  /** `client_id` must be one of these. */
  allowedClients: z.array(z.string().min(1)).default([]),
  /** `scope` must contain one of these. */
  allowedScopes: z.array(z.string().min(1)).default([]),
});

const containerSettings = {
  /**
   * Program and arguments. `{port}`, here or in a value of `env`, is replaced by the port of the
   * container.
   */
  command: z
    .array(
      z.string().min(1),
      'expected a list of the program and its arguments, such as [node, server.mjs]',
    )
    .min(1),
  /** Working directory, relative to the configuration file. */
  cwd: z.string().optional(),
  /**
   * Environment variables, in addition to those of the local runtime. PORT and HOST are set if they
   * are absent here.
   */
  env: z.record(z.string(), z.string()).default({}),
  /** Seconds without an invocation until a session's microVM ends. AWS allows 60 or more. */
  idleTimeout: seconds.default(900),
  /** Seconds until a session's microVM ends, regardless of activity. */
  maxLifetime: seconds.max(1_209_600).default(28_800),
  /**
   * Milliseconds to delay a start, to simulate a cold microVM. A start from a warm microVM has no
   * delay.
   */
  coldStart: milliseconds.default(0),
  /** Number of warm microVMs for new sessions. */
  warm: z.number().int().min(0).default(0),
  /** Seconds until a start counts as failed. */
  initializationTimeout: seconds.default(30),
  /** Milliseconds from SIGTERM to SIGKILL. */
  stopGrace: milliseconds.max(10_000).default(1000),
  /** The newest version. Versions 1 to this one exist, all with the same settings. */
  version: version.default(1),
  /** The endpoints. The qualifier of an invocation selects one. Default version: the newest. */
  endpoints: z
    .array(z.union([endpointName, z.strictObject({ name: endpointName, version })]))
    .default(['DEFAULT']),
  /**
   * Request headers that are forwarded in addition to AgentCore's own. The control plane has the
   * same setting.
   */
  requestHeaderAllowlist: z.array(z.string().min(1)).max(20).default([]),
  /**
   * How callers authenticate: `IAM` by signature, otherwise by bearer token. `JWT` accepts any
   * token of the local OAuth server.
   */
  authorizer: z.union([z.enum(['IAM', 'JWT']), jwtAuthorizerSchema]).default('IAM'),
  /** Principals of other accounts that the resource-based policy allows: ARNs, accounts, or `*`. */
  trustedPrincipals: z.array(z.string()).default([]),
  switches: switchesInputSchema.optional(),
};

const mcpRuntimeSchema = z.strictObject({
  ...containerSettings,
  protocol: z.literal('MCP'),
  /** `stateful` if the server issues its own `Mcp-Session-Id`. */
  sessions: z.enum(['stateless', 'stateful']).default('stateless'),
  path: z.string().startsWith('/').default('/mcp'),
});

const httpRuntimeSchema = z.strictObject({
  ...containerSettings,
  protocol: z.literal('HTTP'),
  path: z.string().startsWith('/').default('/invocations'),
});

const runtimeSchema = z.preprocess(
  // The default protocol is MCP. A discriminated union requires an explicit value.
  (value) => (isObject(value) && !('protocol' in value) ? { protocol: 'MCP', ...value } : value),
  z.discriminatedUnion('protocol', [mcpRuntimeSchema, httpRuntimeSchema]),
);

const ACCOUNT_RULE = 'twelve digits, in quotes';

const NAME_RULE = 'a name begins with a letter, and has letters, digits and _, 48 at most';

/**
 * The message for a mistake in `runtimes` itself. `undefined` if the message of zod is sufficient.
 */
function describeRuntimesError({
  code,
  input,
}: {
  readonly code: string;
  readonly input?: unknown;
}) {
  if (code === 'invalid_key') return NAME_RULE;
  return input === undefined ? 'missing: name a runtime here, and its command' : undefined;
}

const gatewayName = z.string().regex(/^(?=.{1,48}$)[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*$/);

const targetName = z.string().regex(/^(?=.{1,100}$)[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*$/);

const targetSchema = z.union(
  [
    z.strictObject({
      /** Name of an MCP runtime in this configuration. */
      runtime: z.string(),
    }),
    z.strictObject({
      /** A server that belongs to this gateway only. It runs like the container of a runtime. */
      command: z.array(z.string().min(1)).min(1),
      cwd: z.string().optional(),
      env: z.record(z.string(), z.string()).default({}),
      sessions: z.enum(['stateless', 'stateful']).default('stateless'),
    }),
  ],
  'a runtime, or a command',
);

const TARGET_RULE = 'a target is named by letters, digits and single dashes, 100 at most';

const gatewaySchema = z.strictObject({
  /** SigV4, any token of the local OAuth server, none, or a JWT authorizer. */
  authorizer: z
    .union([z.enum(['AWS_IAM', 'CUSTOM_JWT', 'NONE']), jwtAuthorizerSchema])
    .default('AWS_IAM'),
  targets: z
    .record(targetName, targetSchema, { error: createKeyErrorMap(TARGET_RULE) })
    .default({}),
  /** Whether the gateway issues an `Mcp-Session-Id` to each client. */
  sessions: z.boolean().default(false),
  /**
   * Seconds from `initialize` until a session expires, regardless of activity. AWS allows 900 or
   * more.
   */
  sessionTimeout: seconds.max(28_800).default(3600),
});

const GATEWAY_RULE = 'a gateway is named by letters, digits and single dashes, 48 at most';

const gatewaysSchema = z
  .record(gatewayName, gatewaySchema, { error: createKeyErrorMap(GATEWAY_RULE) })
  .default({});

/** Syntax of a scope (RFC 6749). A space separates scopes. */
const scope = z
  .string()
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'a scope has no spaces and no quotes');

const clientSchema = z.strictObject({
  secret: z.string().min(1),
  /** Allowed scopes. A request without scopes gets all of them. */
  scopes: z.array(scope).default([]),
  /** `aud` of its tokens. Absent: no `aud`, as in Cognito. */
  audience: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]).optional(),
  /** Lifetime of its access tokens in seconds. Default: the server's setting. */
  tokenDuration: seconds.optional(),
  /**
   * Whether the client gets a refresh token with each access token. RFC 6749 advises against this
   * for client credentials, but some servers do it.
   */
  refreshTokens: z.boolean().default(false),
});

const oauthSchema = z.strictObject({
  /** By client id. */
  clients: z.record(z.string().min(1), clientSchema).default({}),
  /** Lifetime of an access token in seconds. */
  tokenDuration: seconds.default(3600),
  /** Lifetime of a refresh token in seconds. */
  refreshDuration: seconds.default(86_400),
});

const localConfigFields = z.strictObject({
  region: z
    .string()
    .regex(/^[a-z]{2}(-[a-z]+)+-\d{1,2}$/, 'a region such as us-east-1')
    .default('us-east-1'),
  account: z
    .string(ACCOUNT_RULE)
    .regex(/^\d{12}$/, ACCOUNT_RULE)
    .default('123456789012'),
  /**
   * Loopback port; 0 means any free port. Default: 8787 for the program, any free port in tests.
   */
  port: z.number().int().min(0).max(65_535).optional(),
  /** Access keys for signatures. Default: the example key pair of the AWS documentation. */
  accessKeys: z.array(accessKeySchema).min(1).optional(),
  /** Roles for AssumeRole. */
  roles: z.array(roleSchema).default([]),
  runtimes: z.record(z.string().regex(/^[a-zA-Z][a-zA-Z0-9_]{0,47}$/, NAME_RULE), runtimeSchema, {
    error: describeRuntimesError,
  }),
  /** IAM Identity Center. Absent: no SSO. */
  sso: ssoSchema.optional(),
  /**
   * MCP servers that offer the tools of runtimes, or of servers that belong to the gateway only.
   */
  gateways: gatewaysSchema,
  /** The OAuth server, for runtimes and gateways with a JWT authorizer. */
  oauth: oauthSchema.prefault({}),
  /** Offset of this clock from the system clock in seconds. If positive, this clock is ahead. */
  clockSkew: z.number().default(0),
  /** Defaults for all runtimes. A runtime can override each switch. */
  switches: switchesInputSchema.optional(),
  /** Faults that are injected at the start. */
  faults: z.array(faultSchema).default([]),
});

/** The schema of a configuration file, with the checks across its sections. */
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
      const mistake = validateFaultTarget(fault, known);
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

/** The configuration before defaults are applied. Only `runtimes` is required. */
export type LocalConfig = Omit<z.input<typeof localConfigSchema>, 'runtimes'> & {
  readonly runtimes: Readonly<Record<string, RuntimeInput>>;
};

type RuntimeSettings = z.output<typeof runtimeSchema>;

/** An endpoint of a runtime and its version. */
export interface EndpointConfig {
  readonly name: string;
  readonly version: number;
}

/** A runtime with its id, its ARN and all defaults. */
export type RuntimeConfig = Omit<RuntimeSettings, 'switches' | 'authorizer' | 'endpoints'> & {
  readonly name: string;
  /**
   * The name, a dash and ten characters. It is the same after a restart, so users can store the
   * ARN.
   */
  readonly runtimeId: string;
  readonly arn: string;
  readonly switches: Switches;
  readonly authorizer: 'IAM' | JwtAuthorizer;
  readonly endpoints: readonly EndpointConfig[];
  /** `undefined` for HTTP runtimes. */
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

/** The example key pair of the AWS documentation. It belongs to no account. */
const EXAMPLE_KEY: AccessKeyConfig = {
  id: 'AKIAIOSFODNN7EXAMPLE',
  secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  denied: [],
};

/**
 * Validates and resolves a configuration.
 *
 * @throws {AgentCoreError} `config`, with all invalid fields.
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

/** Resolves a valid configuration: applies the switches and creates ids and ARNs. */
export function resolveParsed(config: z.output<typeof localConfigSchema>): ResolvedConfig {
  const { region, account } = config;
  const partition = getPartition(region);
  const switches: Switches = { ...DEFAULT_SWITCHES, ...withoutUndefined(config.switches) };
  const arnPrefix = `arn:${partition}:bedrock-agentcore:${region}:${account}:`;
  const toRuntime = (name: string, settings: RuntimeSettings): RuntimeConfig => {
    const runtimeId = `${name}-${createIdSuffix(name)}`;
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
      switches: { ...switches, ...withoutUndefined(settings.switches) },
    };
  };
  const runtimes = Object.entries(config.runtimes).map(([name, settings]) =>
    toRuntime(name, settings),
  );
  const gateways = resolveGateways(config.gateways, {
    arnPrefix,
    createSuffix: createIdSuffix,
    createRuntime: (name, command) =>
      toRuntime(name, mcpRuntimeSchema.parse({ protocol: 'MCP', ...command })),
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

function getPartition(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn';
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
}

function createIdSuffix(name: string): string {
  const digits = createHash('sha256').update(name).digest('hex').slice(0, 15);
  return Number.parseInt(digits, 16).toString(36).padStart(10, '0').slice(-10);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Removes undefined values, because they would override defaults. */
function withoutUndefined(switches: SwitchesInput = {}): Partial<Switches> {
  return Object.fromEntries(Object.entries(switches).filter(([, value]) => value !== undefined));
}

type GatewaySettings = z.output<typeof gatewaySchema>;

type TargetSettings = z.output<typeof targetSchema>;

type CommandSettings = Extract<TargetSettings, { readonly command: unknown }>;

interface Naming {
  /** `arn:PARTITION:bedrock-agentcore:REGION:ACCOUNT:`, before the resource type. */
  readonly arnPrefix: string;
  /** Returns ten characters. The same name always results in the same characters. */
  createSuffix(name: string): string;
  /** Returns the runtime for a target with its own command. */
  createRuntime(name: string, settings: CommandSettings): RuntimeConfig;
}

/** Resolves the gateways of a configuration. */
function resolveGateways(
  gateways: Readonly<Record<string, GatewaySettings>>,
  { arnPrefix, createSuffix, createRuntime }: Naming,
): GatewayConfig[] {
  return Object.entries(gateways).map(([name, settings]) => {
    const gatewayId = `${name.toLowerCase()}-${createSuffix(name)}`;
    const { authorizer, sessions, sessionTimeout } = settings;
    return {
      name,
      gatewayId,
      arn: `${arnPrefix}gateway/${gatewayId}`,
      authorizer: authorizer === 'CUSTOM_JWT' ? ANY_LOCAL_TOKEN : authorizer,
      targets: Object.entries(settings.targets).map(([target, server]) => ({
        name: target,
        targetId: createSuffix(`${name} ${target}`).toUpperCase(),
        server: 'runtime' in server ? server.runtime : createRuntime(`${name}-${target}`, server),
      })),
      sessions,
      sessionTimeout,
    };
  });
}

export type OAuthConfig = z.output<typeof oauthSchema>;

export type OAuthClient = z.output<typeof clientSchema>;

export type JwtAuthorizer = z.output<typeof jwtAuthorizerSchema>;

/** Allows all tokens of the local OAuth server. */
export const ANY_LOCAL_TOKEN: JwtAuthorizer = jwtAuthorizerSchema.parse({});

const SUFFIX = '/.well-known/openid-configuration';

/** The URL of the authorization server for a discovery document. */
export function getAuthorizationServer(discoveryUrl: string): string {
  return discoveryUrl.slice(0, -SUFFIX.length);
}

/** The authorizer in the format of the control plane. */
export function describeJwtAuthorizer(
  { discoveryUrl, allowedAudience, allowedClients, allowedScopes }: JwtAuthorizer,
  localIssuer: string,
): object {
  return {
    customJWTAuthorizer: {
      discoveryUrl: discoveryUrl ?? `${localIssuer}${SUFFIX}`,
      ...(allowedAudience.length > 0 && { allowedAudience }),
      ...(allowedClients.length > 0 && { allowedClients }),
      ...(allowedScopes.length > 0 && { allowedScopes }),
    },
  };
}
