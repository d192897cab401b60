import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import type { RuntimeInput } from '../../src/local/config/schema.ts';
import type { SwitchesInput } from '../../src/local/config/switches.ts';
import type { Random } from './random.ts';

/** The way in which a server stores its clients. */
type Keeping = 'stateless' | 'remembering' | 'stateful';

/** A runtime of the campaign. */
export interface PlannedRuntime {
  readonly name: string;
  readonly keeping: Keeping;
  readonly strangers: string;
  /** Seconds. */
  readonly idleTimeout: number;
  readonly switches: SwitchesInput;
}

const SERVER = fileURLToPath(new URL('./tool-server.ts', import.meta.url));

/**
 * Compiles the server, because hundreds of processes start, and stripping the types takes half of
 * their start time.
 */
export function buildServer(folder: string): string {
  const outfile = join(folder, 'tool-server.mjs');
  buildSync({ entryPoints: [SERVER], bundle: true, platform: 'node', format: 'esm', outfile });
  return outfile;
}

/** At least one runtime of each kind, with random values of the undocumented switches. */
export function planRuntimes(random: Random): readonly PlannedRuntime[] {
  const keepings: readonly Keeping[] = ['stateless', 'remembering', 'stateful', 'stateful'];
  return keepings.map((keeping, index) => ({
    name: `${keeping}_${index}`,
    keeping,
    strangers: random.pick(['not-found', 'not-initialized', 'invalid-params']),
    idleTimeout: random.pick([2, 900, 900]),
    switches: planSwitches(random, keeping),
  }));
}

function planSwitches(random: Random, keeping: Keeping): SwitchesInput {
  const routeMcpBy = random.pick(['mcp-session-id', 'mcp-session-id', 'either'] as const);
  return {
    // With `either`, the handshake and the later calls may have separate microVMs.
    ...(keeping === 'stateless' && { routeMcpBy }),
    goneSession: random.pick([
      'not-found',
      'server-not-initialized',
      'invalid-params',
      'internal-error',
      'fresh-container',
    ] as const),
    lostCall: random.pick(['container-failed', 'internal', 'bad-gateway', 'reset'] as const),
    stopBy: random.pick(['runtime-session-id', 'runtime-session-id', 'either'] as const),
    refusedId: random.pick(['not-found', 'bad-request'] as const),
    mintedMcpSessionId: random.pick(['own', 'runtime-session-id'] as const),
    sessionlessAffinity: random.pick(['mcp-session-id', 'runtime-session-id'] as const),
    returnRuntimeSessionId: random.chance(0.7),
    conflictWhileChanging: random.chance(0.7),
    exitedContainer: random.pick(['stops-session', 'restarts'] as const),
    mcpErrors: random.pick(['json-rpc', 'status'] as const),
    mcpSignatureErrors: random.pick(['access-denied', 'unauthorized', 'status'] as const),
    notificationStatus: random.pick([202, 204, 'container'] as const),
    platformPing: random.chance(0.2),
  };
}

/** The configuration of the runtime for the local AgentCore. */
export function runtimeInput(
  planned: PlannedRuntime,
  server: string,
  env: RuntimeInput['env'],
): RuntimeInput {
  const { keeping, strangers, idleTimeout, switches } = planned;
  return {
    command: [process.execPath, server],
    sessions: keeping === 'stateful' ? 'stateful' : 'stateless',
    env: { SESSIONS: keeping, STRANGERS: strangers, ...env },
    idleTimeout,
    stopGrace: 500,
    switches,
  };
}
