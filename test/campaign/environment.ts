import { join } from 'node:path';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import type { PlannedLife } from './plan.ts';

/** The total time limit of a call in milliseconds, on an idle machine. */
export const CALL_TIME_MS = 2_000;

/** Makes Node cache compiled code, because hundreds of processes start. */
export function codeCache(folder: string): { readonly NODE_COMPILE_CACHE: string } {
  return { NODE_COMPILE_CACHE: join(folder, 'compiled') };
}

/** The environment of a proxy without the settings of its life. */
export function environment(
  folder: string,
  local: LocalRuntime,
  url: string,
  { runtime, credentials }: PlannedLife,
  slowness: number,
): Record<string, string> {
  const { accessKeyId, secretAccessKey } = local.credentials;
  return {
    HOME: folder,
    ...codeCache(folder),
    AGENTCORE_STATE_DIR: join(folder, 'state'),
    AGENTCORE_AGENT_ARN: local.runtime(runtime).arn,
    AWS_ENDPOINT_URL: url,
    AWS_CONFIG_FILE: join(folder, 'config'),
    AWS_SHARED_CREDENTIALS_FILE: join(folder, 'none'),
    AGENTCORE_READ_TIMEOUT: String((CALL_TIME_MS * slowness) / 1000),
    AGENTCORE_CONNECT_TIMEOUT: String((CALL_TIME_MS * slowness) / 1000),
    AWS_EC2_METADATA_DISABLED: 'true',
    ...(credentials === 'process'
      ? { AWS_PROFILE: 'rotating' }
      : { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }),
  };
}
