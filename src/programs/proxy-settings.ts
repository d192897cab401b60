import { parseRuntimeArn, type RuntimeArn } from '../aws/arn.ts';
import type { AssumeRole } from '../aws/credentials-options.ts';
import type { Timeouts } from '../aws/silence-clock.ts';
import { AgentCoreError } from '../error.ts';
import { stateFolder } from '../journal/state-folder.ts';
import { isLogLevel, type LogLevel } from '../log.ts';
import { SESSION_MODES, type SessionMode } from '../sessions/session-ids.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What the proxy is told by its environment. */
export interface ProxySettings {
  readonly runtime: RuntimeArn;
  readonly qualifier: string | undefined;
  readonly profile: string | undefined;
  readonly mode: SessionMode;
  readonly assumeRole: AssumeRole | undefined;
  readonly timeouts: Timeouts;
  /** How often a call that failed on the way is sent again at the most. */
  readonly repeats: number;
  /** Whether the sessions are stopped when the proxy ends. */
  readonly stopsSessions: boolean;
  /** Milliseconds after which a client with a progress token hears that its call is still open. */
  readonly keepAlive: number | undefined;
  /** Where the journal is kept. */
  readonly stateFolder: string;
  /** Whether arguments and results go into the journal, redacted. */
  readonly recordsContent: boolean;
  /** What goes to stderr; nothing where it was not asked for. */
  readonly stderrLevel: LogLevel | undefined;
}

/** AgentCore's own limit of a synchronous request. */
const READ_TIMEOUT_SECONDS = 15 * 60;
const CONNECT_TIMEOUT_SECONDS = 10;
const STANDARD_REPEATS = 4;
const MOST_REPEATS = 10;

/**
 * Reads the proxy's environment.
 *
 * @throws {AgentCoreError} `usage` with a sentence that names the variable.
 */
export function readProxySettings(env: Environment): ProxySettings {
  const arn = env.AGENTCORE_AGENT_ARN || env.AGENT_ARN;
  if (!arn) {
    throw new AgentCoreError(
      'usage',
      'AGENTCORE_AGENT_ARN is not set: set it to the ARN of the runtime to talk to',
    );
  }
  if (env.AGENTCORE_POLICY) {
    throw new AgentCoreError(
      'usage',
      'AGENTCORE_POLICY is set, but this version cannot enforce policies: unset it to go without',
    );
  }
  const runtime = parseRuntimeArn(arn);
  const mode = readMode(env.RUNTIME_SESSION_MODE);
  return {
    runtime,
    qualifier: env.AGENTCORE_QUALIFIER || runtime.endpoint,
    profile: env.AWS_PROFILE || undefined,
    mode,
    assumeRole: env.AGENTCORE_ASSUME_ROLE_ARN
      ? {
          arn: env.AGENTCORE_ASSUME_ROLE_ARN,
          sessionName: env.AGENTCORE_ASSUME_ROLE_SESSION_NAME || 'mcpAgentCoreProxy',
        }
      : undefined,
    timeouts: {
      read: readSeconds(env, 'AGENTCORE_READ_TIMEOUT', READ_TIMEOUT_SECONDS),
      connect: readSeconds(env, 'AGENTCORE_CONNECT_TIMEOUT', CONNECT_TIMEOUT_SECONDS),
    },
    repeats: readRepeats(env.AGENTCORE_RETRIES),
    // An identity's session is shared: others may be using it.
    stopsSessions: readSwitch(env, 'AGENTCORE_STOP_ON_EXIT', mode !== 'identity'),
    keepAlive: env.AGENTCORE_KEEP_ALIVE ? readSeconds(env, 'AGENTCORE_KEEP_ALIVE', 0) : undefined,
    stateFolder: stateFolder(env),
    recordsContent: readSwitch(env, 'AGENTCORE_JOURNAL_CONTENT', false),
    stderrLevel: readStderrLevel(env),
  };
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

/** In milliseconds. */
function readSeconds(env: Environment, name: string, standard: number): number {
  const text = env[name];
  if (!text) return standard * 1000;
  const seconds = Number(text);
  // Node's timers end at 2^31 - 1 ms, some 24 days.
  if (Number.isFinite(seconds) && seconds > 0 && seconds <= 86_400) return seconds * 1000;
  throw new AgentCoreError(
    'usage',
    `${name} is "${text}", expected a number of seconds above 0 and up to 86400`,
  );
}

function readRepeats(text: string | undefined): number {
  if (!text) return STANDARD_REPEATS;
  const repeats = Number(text);
  if (Number.isInteger(repeats) && repeats >= 0 && repeats <= MOST_REPEATS) return repeats;
  throw new AgentCoreError(
    'usage',
    `AGENTCORE_RETRIES is "${text}", expected a whole number from 0 to ${MOST_REPEATS}`,
  );
}

function readSwitch(env: Environment, name: string, standard: boolean): boolean {
  const text = env[name];
  if (!text) return standard;
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  if (/^(0|false|no|off)$/i.test(text)) return false;
  throw new AgentCoreError('usage', `${name} is "${text}", expected true or false`);
}

/** `LOG_LEVEL` belongs to many programs, so a level that we do not know is not an error. */
function readStderrLevel(env: Environment): LogLevel | undefined {
  if (/^(1|true|yes|on)$/i.test(env.MCP_PROXY_DEBUG ?? '')) return 'debug';
  const level = env.LOG_LEVEL?.toLowerCase();
  if (level === 'warn') return 'warning';
  return isLogLevel(level) ? level : undefined;
}
