import { fileURLToPath } from 'node:url';
import type { RuntimeInput } from '../../src/local/config/schema.ts';
import { startLocalRuntime } from '../../src/local/local-runtime.ts';
import { endpointOf, startEverything } from './everything/endpoint.ts';
import { startStdioFront } from './stdio-to-http.ts';

/** The test server at a URL that the suite can reach. */
interface Hosted {
  readonly url: string;
  close(): Promise<void>;
}

const NODE = [process.execPath, '--disable-warning=ExperimentalWarning'];
const ON_HTTP = [...NODE, fileURLToPath(new URL('./everything-server.ts', import.meta.url))];
const ON_STDIO = [...NODE, fileURLToPath(new URL('./everything-on-stdio.ts', import.meta.url))];

const NATIVE: RuntimeInput = { command: ON_HTTP, sessions: 'stateful' };
const BRIDGE: RuntimeInput = {
  protocol: 'HTTP',
  command: [process.execPath, 'dist/bridge.js'],
  env: {
    MCP_SERVER_CMD: ON_STDIO.map((word) => `"${word}"`).join(' '),
    SERVER_HOST: '127.0.0.1',
    SERVER_PORT: '{port}',
  },
};

/** The ways from the suite to the test server, and the processes of each. */
export const HOSTINGS = {
  'asked directly': hostDirectly,
  'asked directly on stdio': hostOnStdio,
  'through the proxy, native and stateful': () => hostOnRuntime(NATIVE),
  'through the proxy and the bridge': () => hostOnRuntime(BRIDGE),
} satisfies Readonly<Record<string, () => Promise<Hosted>>>;

export type Way = keyof typeof HOSTINGS;

async function hostDirectly(): Promise<Hosted> {
  const server = await startEverything(0);
  return {
    url: endpointOf(server),
    async close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function hostOnStdio(): Promise<Hosted> {
  return startStdioFront({ command: ON_STDIO, env: inherited() });
}

async function hostOnRuntime(runtime: RuntimeInput): Promise<Hosted> {
  const local = await startLocalRuntime({ runtimes: { everything: { warm: 2, ...runtime } } });
  const { arn } = local.runtime('everything');
  const front = await startStdioFront({
    command: [process.execPath, 'dist/proxy.js'],
    env: { ...inherited(), ...local.env, AGENTCORE_AGENT_ARN: arn },
  });
  return {
    url: front.url,
    async close() {
      await front.close();
      await local.close();
    },
  };
}

/** The environment variables that every program needs to start. */
function inherited(): Record<string, string> {
  const { PATH = '', HOME = '' } = process.env;
  return { PATH, HOME };
}
