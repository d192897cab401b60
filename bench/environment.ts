import { join } from 'node:path';
import type { BareTarget } from './bare.ts';

const region = 'us-east-1';
const arn = `arn:aws:bedrock-agentcore:${region}:123456789012:runtime/bench-0123456789`;

/** Made-up credentials: the upstream looks at no signature. */
const accessKeyId = 'AKIDBENCH';
const secretAccessKey = 'secret-of-the-benchmark';

/** Whatever of the user's settings would change what is measured, or reach a real account. */
const strayVariables =
  /^(AWS_.*|AGENTCORE_.*|AGENT_ARN|RUNTIME_SESSION_MODE|LOG_LEVEL|MCP_PROXY_DEBUG|NODE_OPTIONS|NODE_V8_COVERAGE|(https?|all|no)_proxy)$/i;

export function bareTarget(port: number): BareTarget {
  return { url: invocationsUrl(port), region, accessKeyId, secretAccessKey };
}

export function invocationsUrl(port: number): string {
  return `${endpoint(port)}/runtimes/${encodeURIComponent(arn)}/invocations`;
}

/** The environment of a proxy that is measured; what it writes goes under `scratch`. */
export function proxyEnvironment(port: number, scratch: string): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !strayVariables.test(name));
  return {
    ...Object.fromEntries(inherited),
    AGENTCORE_AGENT_ARN: arn,
    AGENTCORE_STATE_DIR: join(scratch, 'state'),
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_ENDPOINT_URL: endpoint(port),
    AWS_CONFIG_FILE: join(scratch, 'no-config'),
    AWS_SHARED_CREDENTIALS_FILE: join(scratch, 'no-credentials'),
    AWS_EC2_METADATA_DISABLED: 'true',
    NO_PROXY: '127.0.0.1',
  };
}

function endpoint(port: number): string {
  return `http://127.0.0.1:${port}`;
}
