import { existsSync } from 'node:fs';
import {
  EXTERNAL_ID,
  isGatewayAddress,
  MFA_SERIAL,
  parseGatewayAddress,
  parseRuntimeArn,
  ROLE_ARN,
  ROLE_SESSION_NAME,
} from '../aws/arn.ts';
import { type AuthorizationSettings, readAuthorization } from '../aws/auth/settings.ts';
import type { AssumeRole } from '../aws/credentials/options.ts';
import { getEnvironmentProfile } from '../aws/shared-config.ts';
import { type Environment, getStateDirectory } from '../base/environment.ts';
import { AgentCoreError } from '../base/errors.ts';
import { isLogLevel, type LogLevel } from '../base/logger.ts';
import type { Timeouts } from '../http/post.ts';
import { getPolicyLocations, type PolicyPlace } from '../policy/documents/locations.ts';
import { SESSION_MODES, type SessionMode } from '../sessions/runtime-session.ts';
import type { ServerSettings } from '../upstream/connect.ts';

/** Settings of the proxy, from its environment. */
export interface ProxySettings {
  readonly server: ServerSettings;
  readonly authorization: AuthorizationSettings;
  readonly profile: string | undefined;
  readonly mode: SessionMode;
  readonly assumeRole: AssumeRole | undefined;
  readonly timeouts: Timeouts;
  /** Maximum number of retries for a failed call. */
  readonly maxRetries: number;
  /** True if the sessions are stopped when they or the proxy end. */
  readonly stopsSessions: boolean;
  /**
   * Milliseconds between progress notifications for an open call with a progress token; `undefined`
   * disables them.
   */
  readonly keepAlive: number | undefined;
  /** 32 bytes in base64, for a vault of redacted values that outlives the proxy. */
  readonly vaultKey: string | undefined;
  /** True if the user may approve in VS Code when the client cannot show forms. */
  readonly asksInVsCode: boolean;
  /** Directory of the journal. */
  readonly stateFolder: string;
  /** The client's name for this server, recorded in the journal. */
  readonly serverName: string | undefined;
  /** Locations of policy documents. If empty, no policy applies. */
  readonly policies: readonly PolicyPlace[];
  /** Whether to record redacted arguments and results in the journal. */
  readonly recordsContent: boolean;
  /** Log level for stderr; `undefined` disables logging to stderr. */
  readonly stderrLevel: LogLevel | undefined;
}

/** AgentCore's limit for a synchronous request, in seconds. */
const READ_TIMEOUT_SECONDS = 15 * 60;

const CONNECT_TIMEOUT_SECONDS = 10;

/** Default and maximum number of retries for a failed call. */
export const DEFAULT_MAX_RETRIES = 4;

const MAX_RETRIES = 10;

/**
 * Reads the settings of the proxy from its environment.
 *
 * @throws {AgentCoreError} `usage`; the message names the variable.
 */
export function readProxySettings(env: Environment): ProxySettings {
  const mode = readMode(env.RUNTIME_SESSION_MODE);
  return {
    ...readServer(env, mode),
    profile: getEnvironmentProfile(env),
    mode,
    assumeRole: readAssumeRole(env),
    timeouts: {
      read: readSeconds(env, 'AGENTCORE_READ_TIMEOUT', READ_TIMEOUT_SECONDS),
      connect: readSeconds(env, 'AGENTCORE_CONNECT_TIMEOUT', CONNECT_TIMEOUT_SECONDS),
    },
    maxRetries: readMaxRetries(env.AGENTCORE_RETRIES),
    // Other processes may share an identity's session.
    stopsSessions: readSwitch(env, 'AGENTCORE_STOP_ON_EXIT', mode !== 'identity'),
    keepAlive: env.AGENTCORE_KEEP_ALIVE ? readSeconds(env, 'AGENTCORE_KEEP_ALIVE', 0) : undefined,
    asksInVsCode: readApprovals(env.AGENTCORE_APPROVALS),
    vaultKey: env.AGENTCORE_VAULT_KEY || undefined,
    stateFolder: getStateDirectory(env),
    serverName: env.AGENTCORE_SERVER_NAME || undefined,
    policies: findPolicyLocations(env),
    recordsContent: readSwitch(env, 'AGENTCORE_JOURNAL_CONTENT', false),
    stderrLevel: readStderrLevel(env),
  };
}

function readApprovals(text: string | undefined): boolean {
  if (!text) return false;
  if (text === 'vscode') return true;
  throw new AgentCoreError(
    'usage',
    `AGENTCORE_APPROVALS must be "vscode" or nothing, but is "${text}".`,
  );
}

/**
 * Returns all locations if a document exists or is required, so documents that are created later
 * apply too. Otherwise returns none.
 */
function findPolicyLocations(env: Environment): readonly PolicyPlace[] {
  const places = getPolicyLocations(env);
  return places.some(({ path, isRequired }) => isRequired || existsSync(path)) ? places : [];
}

/** AWS limits for the duration of a role in seconds: with role chaining, minimum, and maximum. */
const MAX_CHAINED_ROLE_SECONDS = 3_600;

const MIN_ROLE_SECONDS = 900;

const MAX_ROLE_SECONDS = 43_200;

function readAssumeRole(env: Environment): AssumeRole | undefined {
  const prefix = 'AGENTCORE_ASSUME_ROLE';
  const arns = (env[`${prefix}_ARN`] ?? '').split(',').map((arn) => arn.trim());
  const arn = arns.at(-1);
  if (!arn && arns.length === 1) {
    const lost = ['EXTERNAL_ID', 'DURATION', 'MFA_SERIAL', 'SOURCE_IDENTITY'].find(
      (name) => env[`${prefix}_${name}`],
    );
    if (!lost) return undefined;
    throw new AgentCoreError(
      'usage',
      `${prefix}_${lost} is set, but no role to assume: set ${prefix}_ARN, or unset it`,
    );
  }
  const wrong = arns.find((one) => !ROLE_ARN.test(one));
  if (arn === undefined || wrong !== undefined) {
    throw new AgentCoreError(
      'usage',
      `${prefix}_ARN has "${wrong}", expected arn:aws:iam::ACCOUNT:role/NAME, or several with commas between, in the order to assume them`,
    );
  }
  const chain = arns.slice(0, -1);
  const matching = (name: string, pattern: RegExp, expected: string) => {
    const text = env[`${prefix}_${name}`];
    if (!text || pattern.test(text)) return text || undefined;
    const shown = name === 'EXTERNAL_ID' ? 'is not valid' : `is "${text}"`;
    throw new AgentCoreError('usage', `${prefix}_${name} ${shown}, expected ${expected}`);
  };
  const name = '2 to 64 letters, digits and +=,.@_-';
  return {
    arn,
    sessionName: matching('SESSION_NAME', ROLE_SESSION_NAME, name) ?? 'mcpAgentCoreProxy',
    ...(chain.length > 0 && { chain }),
    externalId: matching('EXTERNAL_ID', EXTERNAL_ID, '2 to 1224 letters, digits and +=,.@:/_-'),
    duration: readDuration(env[`${prefix}_DURATION`], chain.length > 0),
    mfaSerial: matching(
      'MFA_SERIAL',
      MFA_SERIAL,
      'a serial number or arn:aws:iam::ACCOUNT:mfa/NAME',
    ),
    sourceIdentity: matching('SOURCE_IDENTITY', ROLE_SESSION_NAME, name),
  };
}

/** Reads the duration of an assumed role, in seconds. */
function readDuration(text: string | undefined, isChained: boolean): number | undefined {
  if (!text) return undefined;
  const seconds = Number(text);
  const longest = isChained ? MAX_CHAINED_ROLE_SECONDS : MAX_ROLE_SECONDS;
  if (Number.isInteger(seconds) && seconds >= MIN_ROLE_SECONDS && seconds <= longest)
    return seconds;
  const why = isChained ? ', the most for a role that is assumed by means of another' : '';
  throw new AgentCoreError(
    'usage',
    `AGENTCORE_ASSUME_ROLE_DURATION is "${text}", expected a whole number of seconds from ${MIN_ROLE_SECONDS} to ${longest}${why}`,
  );
}

function readMode(text: string | undefined): SessionMode {
  if (!text) return 'session';
  const mode = SESSION_MODES.find((known) => known === text.trim().toLowerCase());
  if (mode) return mode;
  throw new AgentCoreError(
    'usage',
    `RUNTIME_SESSION_MODE is "${text}", expected one of ${SESSION_MODES.join(', ')}`,
  );
}

/** Reads a variable in seconds. Returns milliseconds. */
function readSeconds(env: Environment, name: string, standard: number): number {
  const text = env[name];
  if (!text) return standard * 1000;
  const seconds = Number(text);
  // Node's timers have a maximum of 2^31 - 1 ms, about 24 days. AbortSignal.timeout() requires
  // whole milliseconds.
  if (seconds > 0 && seconds <= 86_400) return Math.max(1, Math.round(seconds * 1000));
  throw new AgentCoreError(
    'usage',
    `${name} is "${text}", expected a number of seconds above 0 and up to 86400`,
  );
}

function readMaxRetries(text: string | undefined): number {
  if (!text) return DEFAULT_MAX_RETRIES;
  const repeats = Number(text);
  if (Number.isInteger(repeats) && repeats >= 0 && repeats <= MAX_RETRIES) return repeats;
  throw new AgentCoreError(
    'usage',
    `AGENTCORE_RETRIES is "${text}", expected a whole number from 0 to ${MAX_RETRIES}`,
  );
}

function readSwitch(env: Environment, name: string, standard: boolean): boolean {
  const text = env[name];
  if (!text) return standard;
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  if (/^(0|false|no|off)$/i.test(text)) return false;
  throw new AgentCoreError('usage', `${name} is "${text}", expected true or false`);
}

/** Reads the log level. Ignores unknown levels, because other programs use `LOG_LEVEL` too. */
function readStderrLevel(env: Environment): LogLevel | undefined {
  if (/^(1|true|yes|on)$/i.test(env.MCP_PROXY_DEBUG ?? '')) return 'debug';
  const level = env.LOG_LEVEL?.toLowerCase();
  if (level === 'warn') return 'warning';
  return isLogLevel(level) ? level : undefined;
}

/**
 * Reads the server's address and the caller's authorization method.
 *
 * @throws {AgentCoreError} `usage`; the message names the variable.
 */
function readServer(
  env: Environment,
  mode: SessionMode,
): { readonly server: ServerSettings; readonly authorization: AuthorizationSettings } {
  const address = env.AGENTCORE_AGENT_ARN || env.AGENT_ARN;
  if (!address) {
    throw new AgentCoreError(
      'usage',
      'AGENTCORE_AGENT_ARN is not set: set it to the ARN of the runtime or gateway to talk to',
    );
  }
  const authorization = readAuthorization(env);
  if (isGatewayAddress(address)) {
    const gateway = parseGatewayAddress(address);
    if (mode === 'identity') {
      throw new AgentCoreError(
        'usage',
        'RUNTIME_SESSION_MODE is "identity", but a gateway has no sessions to share: set it to session or request',
      );
    }
    return { server: { kind: 'gateway', gateway }, authorization };
  }
  const runtime = parseRuntimeArn(address);
  if (authorization.method === 'none') {
    throw new AgentCoreError(
      'usage',
      'AGENTCORE_AUTH is "none", but a runtime requires authorization: set it to iam, oauth or token-command',
    );
  }
  const qualifier = env.AGENTCORE_QUALIFIER || runtime.endpoint;
  return { server: { kind: 'runtime', runtime, qualifier }, authorization };
}
