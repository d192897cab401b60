import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, inject } from 'vitest';
import type { LocalConfig, RuntimeInput } from '../../../src/local/config.ts';
import { type LocalRuntime, startLocalRuntime } from '../../../src/local/local-runtime.ts';
import { useVsCode } from '../harness/use-vs-code.ts';
import type { VsCode, VsCodeOptions } from '../harness/vs-code.ts';

/** A VS Code with the packaged extension in it, and the AgentCore behind that. */
export interface Scene {
  readonly vsCode: VsCode;
  readonly local: LocalRuntime;
}

/** The sample server, which remembers, samples and asks. */
export function sampleServer(more: Partial<RuntimeInput> = {}): RuntimeInput {
  const server = fileURLToPath(
    new URL('../../../examples/runtimes/stateful/server.ts', import.meta.url),
  );
  const command = [process.execPath, '--disable-warning=ExperimentalWarning', server];
  return { command, sessions: 'stateful', ...more } as RuntimeInput;
}

/** Nobody's: searched for after the tests in all that was written. */
export const DEVELOPER = {
  id: 'AKIADEVELOPEREXAMPLE',
  secret: 'developers-secret-that-nobody-may-write-down',
  principal: 'arn:aws:iam::123456789012:user/developer',
} as const;

/** The files of profiles whose access key is `DEVELOPER`. */
export function developerFiles(...profiles: readonly string[]): Record<string, string> {
  return {
    '.aws/config': profiles.map((name) => `[profile ${name}]\nregion = us-east-1\n`).join(''),
    '.aws/credentials': profiles.map((name) => `[${name}]\n${DEVELOPER_KEY}`).join(''),
  };
}

const DEVELOPER_KEY = `aws_access_key_id = ${DEVELOPER.id}\naws_secret_access_key = ${DEVELOPER.secret}\n`;

/**
 * A local AgentCore and a VS Code that reaches it by its endpoint alone: keys come from what `home`
 * has of them, as a user's do.
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
