import { join } from 'node:path';
import type { LocalRuntime } from './local-runtime.ts';

/** Whatever of the user's settings would change what is measured, or reach a real account. */
const strayVariables =
  /^(AWS_.*|AGENTCORE_.*|AGENT_ARN|RUNTIME_SESSION_MODE|LOG_LEVEL|MCP_PROXY_DEBUG|NODE_OPTIONS|NODE_V8_COVERAGE|(https?|all|no)_proxy)$/i;

/** The user's environment without those. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !strayVariables.test(name));
  return Object.fromEntries(inherited);
}

/** The environment of a proxy that is measured; what it writes goes under `scratch`. */
export function proxyEnvironment(
  { arn, endpoint, region, accessKeyId, secretAccessKey }: LocalRuntime,
  scratch: string,
): NodeJS.ProcessEnv {
  return {
    ...plainEnvironment(),
    AGENTCORE_AGENT_ARN: arn,
    AGENTCORE_STATE_DIR: join(scratch, 'state'),
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_ENDPOINT_URL: endpoint,
    AWS_CONFIG_FILE: join(scratch, 'no-config'),
    AWS_SHARED_CREDENTIALS_FILE: join(scratch, 'no-credentials'),
    AWS_EC2_METADATA_DISABLED: 'true',
    NO_PROXY: '127.0.0.1',
  };
}
