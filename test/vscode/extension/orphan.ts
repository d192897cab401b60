import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import type { LocalRuntime } from '../../../src/local/local-runtime.ts';
import type { RunFolder } from '../harness/run-folder.ts';

/**
 * Runs the proxy like another program of this user, and kills it during its session.
 *
 * @returns The id of the runtime session, which no program will stop.
 */
export async function leaveOrphan(
  { home, state }: RunFolder,
  local: LocalRuntime,
  runtime: string,
  profile = 'dev',
): Promise<string> {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [fileURLToPath(new URL('../../../dist/proxy.js', import.meta.url))],
    env: {
      HOME: home,
      AWS_ENDPOINT_URL: local.url,
      AWS_PROFILE: profile,
      AGENTCORE_STATE_DIR: state,
      AGENTCORE_AGENT_ARN: local.runtime(runtime).arn,
    },
  });
  const before = new Set(local.sessions(runtime).map(({ runtimeSessionId }) => runtimeSessionId));
  const client = new Client({ name: 'other', version: '1.0.0' });
  await client.connect(transport);
  const { pid } = transport;
  if (pid === null) throw new Error('The proxy does not run');
  process.kill(pid, 'SIGKILL');
  await client.close();
  const left = local.sessions(runtime).find((one) => !before.has(one.runtimeSessionId));
  if (!left) throw new Error('The proxy had no session');
  return left.runtimeSessionId;
}
