import { join } from 'node:path';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import type { PlannedLife } from './plan.ts';

/** Has Node keep compiled code: hundreds of processes start. */
export function codeCache(folder: string): { readonly NODE_COMPILE_CACHE: string } {
  return { NODE_COMPILE_CACHE: join(folder, 'compiled') };
}

/** The environment of a proxy, apart from the settings of its life. */
export function environment(
  folder: string,
  local: LocalRuntime,
  url: string,
  { runtime, credentials }: PlannedLife,
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
    AWS_EC2_METADATA_DISABLED: 'true',
    ...(credentials === 'process'
      ? { AWS_PROFILE: 'rotating' }
      : { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }),
  };
}
