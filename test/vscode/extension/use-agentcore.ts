import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, inject } from 'vitest';
import type { LocalConfig, RuntimeInput } from '../../../src/local/config/schema.ts';
import { type LocalRuntime, startLocalRuntime } from '../../../src/local/local-runtime.ts';
import { useVsCode } from '../harness/use-vs-code.ts';
import type { VsCode, VsCodeOptions } from '../harness/vs-code.ts';

/** A VS Code with the packaged extension, and its AgentCore. */
export interface Scene {
  readonly vsCode: VsCode;
  readonly local: LocalRuntime;
}

/** The sample server with memory, sampling and elicitation. */
export function sampleServer(more: Partial<RuntimeInput> = {}): RuntimeInput {
  const server = fileURLToPath(
    new URL('../../../examples/runtimes/stateful/server.ts', import.meta.url),
  );
  const command = [process.execPath, '--disable-warning=ExperimentalWarning', server];
  return { command, sessions: 'stateful', ...more } as RuntimeInput;
}

/** A fictitious user. After the tests, all files are searched for these values. */
export const DEVELOPER = {
  id: 'AKIADEVELOPEREXAMPLE',
  secret: 'developers-secret-that-nobody-may-write-down',
  principal: 'arn:aws:iam::123456789012:user/developer',
} as const;

/** The AWS files for profiles with the access key `DEVELOPER`. */
export function developerFiles(...profiles: readonly string[]): Record<string, string> {
  return {
    '.aws/config': profiles.map((name) => `[profile ${name}]\nregion = us-east-1\n`).join(''),
    '.aws/credentials': profiles.map((name) => `[${name}]\n${DEVELOPER_KEY}`).join(''),
  };
}

const DEVELOPER_KEY = `aws_access_key_id = ${DEVELOPER.id}\naws_secret_access_key = ${DEVELOPER.secret}\n`;

/**
 * A local AgentCore, and a VS Code that is connected by the endpoint alone. Keys come from the AWS
 * files in `home`, as for a user.
 */
export function useAgentCore(
  config: LocalConfig,
  options: (local: LocalRuntime) => VsCodeOptions,
): () => Scene {
  let local: LocalRuntime | undefined;
  beforeAll(async () => {
    local = await startLocalRuntime(config);
  });
  afterAll(() => local?.close());
  const theLocal = () => {
    if (!local) throw new Error('AgentCore is there only while its tests run');
    return local;
  };
  const vsCode = useVsCode(async () => {
    const { env = {}, settings, ...more } = options(theLocal());
    return {
      vsix: [inject('vsix')],
      settings: { 'workbench.colorTheme': 'Default Light Modern', ...settings },
      ...more,
      env: { AWS_ENDPOINT_URL: theLocal().url, ...env },
    };
  });
  return () => ({ vsCode: vsCode(), local: theLocal() });
}
