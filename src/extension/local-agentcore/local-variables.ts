import { AgentCoreError } from '../../base/errors.ts';
import type { StartVariables } from '../servers/server-preparation.ts';
import type { LocalEndpoint } from './local-agentcore.ts';

/** Variables that would change the endpoint or the signing identity. `null` removes a variable. */
const SET_ASIDE = [
  'AWS_PROFILE',
  'AWS_DEFAULT_PROFILE',
  'AWS_SESSION_TOKEN',
  'AWS_SECURITY_TOKEN',
  'AWS_ENDPOINT_URL_BEDROCK_AGENTCORE',
  'AWS_ENDPOINT_URL_STS',
  'AWS_IGNORE_CONFIGURED_ENDPOINT_URLS',
  'AWS_USE_FIPS_ENDPOINT',
  'AWS_USE_DUALSTACK_ENDPOINT',
  // The local AgentCore is on this machine, and an HTTP proxy cannot reach it.
  ...['HTTP_PROXY', 'ALL_PROXY'].flatMap((name) => [name, name.toLowerCase()]),
];

/**
 * The variables that direct a proxy to a runtime of a local AgentCore.
 *
 * @throws {AgentCoreError} `config` if the local AgentCore has no runtime with that name.
 */
export function createLocalVariables(endpoint: LocalEndpoint, runtime: string): StartVariables {
  const { runtimes, env } = endpoint;
  const found = runtimes.find(({ name }) => name === runtime);
  if (!found) {
    const names = runtimes.map(({ name }) => name).join(', ') || 'none';
    throw new AgentCoreError(
      'config',
      `The local AgentCore has no runtime "${runtime}": name one of ${names}`,
    );
  }
  const nothing = Object.fromEntries(SET_ASIDE.map((name) => [name, null]));
  return { ...nothing, ...env, AGENTCORE_AGENT_ARN: found.arn };
}
