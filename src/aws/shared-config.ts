import { loadSharedConfigFiles } from '@smithy/core/config';
import type { Environment } from '../environment.ts';
import type { EndpointOptions } from './endpoints.ts';

/** What the environment and the profile's section of `~/.aws/config` say about one service. */
export interface ServiceSettings extends EndpointOptions {
  readonly region: string | undefined;
}

/**
 * Reads the settings that every AWS SDK honours, in the SDKs' order: the environment, then the
 * profile that is named here (not the one that `AWS_PROFILE` happens to name).
 *
 * @param serviceId The SDK's service id, such as `Bedrock AgentCore`.
 */
export async function readServiceSettings(
  serviceId: string,
  profileName: string | undefined,
  env: Environment,
): Promise<ServiceSettings> {
  const fromEnv = {
    region: env.AWS_REGION || env.AWS_DEFAULT_REGION,
    fips: env.AWS_USE_FIPS_ENDPOINT,
    dualStack: env.AWS_USE_DUALSTACK_ENDPOINT,
    override:
      env[`AWS_ENDPOINT_URL_${serviceId.toUpperCase().replaceAll(' ', '_')}`] ||
      env.AWS_ENDPOINT_URL,
  };
  const { configFile } = await loadSharedConfigFiles({
    ...(env.AWS_CONFIG_FILE && { configFilepath: env.AWS_CONFIG_FILE }),
    ...(env.AWS_SHARED_CREDENTIALS_FILE && { filepath: env.AWS_SHARED_CREDENTIALS_FILE }),
  });
  const profile = configFile[profileName ?? env.AWS_PROFILE ?? 'default'] ?? {};
  const services = configFile[`services.${profile.services}`] ?? {};
  const ignoreUrls =
    env.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS ?? profile.ignore_configured_endpoint_urls;
  const configured =
    services[`${serviceId.toLowerCase().replaceAll(' ', '_')}.endpoint_url`] ??
    profile.endpoint_url;
  return {
    region: fromEnv.region || profile.region,
    fips: isTrue(fromEnv.fips ?? profile.use_fips_endpoint),
    dualStack: isTrue(fromEnv.dualStack ?? profile.use_dualstack_endpoint),
    override: isTrue(ignoreUrls) ? undefined : fromEnv.override || configured,
  };
}

/** STS's base URL by the environment or the profile; `undefined` where neither names one. */
export async function stsEndpoint(
  profileName: string | undefined,
  env: Environment,
): Promise<string | undefined> {
  return (await readServiceSettings('STS', profileName, env)).override;
}

function isTrue(text: string | undefined): boolean {
  return text?.trim().toLowerCase() === 'true';
}
