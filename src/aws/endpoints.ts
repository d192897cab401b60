import type { Environment } from '../base/environment.ts';
import { AgentCoreError, getErrorMessage } from '../base/errors.ts';
import { Network } from '../http/network.ts';
import type { GatewayAddress, Partition, RuntimeArn } from './arn.ts';
import {
  describeProfileFault,
  describeServicesFault,
  describeValueFault,
  expandPath,
  formatSettingLocation,
  getEnvironmentProfile,
  getProfileWarnings,
  getServicesBlock,
  type ProfileFiles,
  readProfileFiles,
  type Section,
} from './shared-config.ts';

/** URLs of AgentCore, and the endpoint, region and CA settings from environment and profile. */

/**
 * The MCP URL of a gateway: below the custom endpoint if one is set, else on the AWS host.
 *
 * @throws {AgentCoreError} `usage`
 */
export function getGatewayUrl(address: GatewayAddress, endpoint: EndpointOptions): URL {
  if (address.url) return address.url;
  const { gatewayId, region, partition } = address;
  const { override, fips, dualStack } = endpoint;
  if (override !== undefined) {
    const base = URL.canParse(override) ? new URL(override) : undefined;
    if (!base || !/^https?:$/.test(base.protocol)) {
      throw new AgentCoreError('usage', 'The endpoint is not an http or https URL');
    }
    base.pathname = `${base.pathname.replace(/\/$/, '')}/gateways/${gatewayId}/mcp`;
    return base;
  }
  if (fips || dualStack) {
    throw new AgentCoreError(
      'usage',
      `No FIPS or dual-stack address of gateways is known: set AGENTCORE_AGENT_ARN to the gateway's URL, or unset AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT`,
    );
  }
  const suffix = partition === 'aws-cn' ? 'amazonaws.com.cn' : 'amazonaws.com';
  return new URL(`https://${gatewayId}.gateway.bedrock-agentcore.${region}.${suffix}/mcp`);
}

/** Endpoint settings of a service, apart from its region. */
export interface EndpointOptions {
  readonly fips: boolean;
  readonly dualStack: boolean;
  /** A URL that replaces the default endpoint (`AWS_ENDPOINT_URL` and related settings). */
  readonly override: string | undefined;
}

/** DNS suffixes by partition (source: `partitions.json` of the AWS SDKs). */
const SUFFIXES: Readonly<Record<Partition, { plain: string; dualStack: string }>> = {
  aws: { plain: 'amazonaws.com', dualStack: 'api.aws' },
  'aws-cn': { plain: 'amazonaws.com.cn', dualStack: 'api.amazonwebservices.com.cn' },
  'aws-us-gov': { plain: 'amazonaws.com', dualStack: 'api.aws' },
};

/**
 * The base URL of AgentCore's data plane. It follows the SDK's endpoint rule set, but does not load
 * it: loading would take a fifth of the proxy's startup time. A test compares the two.
 *
 * @throws {AgentCoreError} `usage` if the override is not an HTTP URL or conflicts with other
 * options.
 */
export function getDataPlaneUrl(
  { partition, region }: { partition: Partition; region: string },
  { fips, dualStack, override }: EndpointOptions,
): URL {
  if (override !== undefined) {
    if (fips || dualStack) {
      throw new AgentCoreError(
        'usage',
        `A custom endpoint (${override}) cannot be a FIPS or dual-stack one: unset AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT, or the endpoint`,
      );
    }
    return parseHttpUrl(override);
  }
  const suffix = SUFFIXES[partition][dualStack ? 'dualStack' : 'plain'];
  return new URL(`https://bedrock-agentcore${fips ? '-fips' : ''}.${region}.${suffix}`);
}

function parseHttpUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new AgentCoreError(
      'usage',
      `The endpoint is not an http or https URL: ${text.replace(/\/\/[^/@]*@/, '//')}`,
    );
  }
  return url;
}

/** The invocation URL of a runtime, below the base URL of the data plane. */
export function getRuntimeInvocationsUrl(
  endpoint: URL,
  runtime: RuntimeArn,
  qualifier: string | undefined,
): URL {
  return getRuntimeUrl(endpoint, runtime, qualifier, 'invocations');
}

/** The URL of StopRuntimeSession, below the base URL of the data plane. */
export function getRuntimeStopUrl(
  endpoint: URL,
  runtime: RuntimeArn,
  qualifier: string | undefined,
): URL {
  return getRuntimeUrl(endpoint, runtime, qualifier, 'stopruntimesession');
}

function getRuntimeUrl(
  endpoint: URL,
  { arn }: RuntimeArn,
  qualifier: string | undefined,
  operation: string,
): URL {
  const url = new URL(endpoint);
  const base = endpoint.pathname.replace(/\/$/, '');
  url.pathname = `${base}/runtimes/${encodeURIComponent(arn)}/${operation}`;
  url.search = qualifier ? `?qualifier=${encodeURIComponent(qualifier)}` : '';
  return url;
}

/** Settings for one service from the environment and the profile. */
export interface ServiceSettings extends EndpointOptions {
  /** Undefined if the setting is not a valid region. */
  readonly region: string | undefined;
  /** The error sentence if the region setting is invalid. */
  readonly regionProblem: string | undefined;
  /** The certificate file to trust and the name of its setting. */
  readonly caBundle: { readonly path: string; readonly setting: string } | undefined;
  /**
   * Warnings about the files: the reason for an ignored profile, or differences to the AWS CLI.
   * Sentences without a full stop. Absent if there are none.
   */
  readonly warnings?: readonly string[] | undefined;
}

/**
 * Reads the settings common to all AWS SDKs in the SDKs' order: the environment, then the given
 * profile. `AWS_PROFILE` is used only if no profile is given. An invalid profile contributes no
 * settings; its credentials cause an error elsewhere.
 *
 * @param serviceId The SDK's service id, such as `Bedrock AgentCore`.
 */
export async function readServiceSettings(
  serviceId: string,
  profileName: string | undefined,
  env: Environment,
): Promise<ServiceSettings> {
  const name = profileName || getEnvironmentProfile(env) || 'default';
  const { files, fault, warnings } = await readFiles(name, env);
  const profile: Section = (!fault && files?.profiles.get(name)) || {};
  const services = profile.services;
  const servicesProblem =
    services !== undefined && files ? describeServicesFault(services, files) : undefined;
  const block =
    services !== undefined && files && !servicesProblem
      ? getServicesBlock(files, services, serviceId.toLowerCase().replaceAll(' ', '_'))
      : {};
  const all = servicesProblem ? [...warnings, `Profile "${name}" ${servicesProblem}`] : warnings;
  const ignoreUrls =
    env.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS ?? profile.ignore_configured_endpoint_urls;
  const override =
    env[`AWS_ENDPOINT_URL_${serviceId.toUpperCase().replaceAll(' ', '_')}`] ||
    env.AWS_ENDPOINT_URL ||
    block.endpoint_url ||
    profile.endpoint_url ||
    undefined;
  const caBundle = env.AWS_CA_BUNDLE
    ? { path: env.AWS_CA_BUNDLE, setting: 'AWS_CA_BUNDLE' }
    : profile.ca_bundle
      ? { path: expandPath(profile.ca_bundle, env), setting: `ca_bundle of profile "${name}"` }
      : undefined;
  return {
    ...readRegion(name, profile, files, env),
    fips: isTrue(env.AWS_USE_FIPS_ENDPOINT ?? profile.use_fips_endpoint),
    dualStack: isTrue(env.AWS_USE_DUALSTACK_ENDPOINT ?? profile.use_dualstack_endpoint),
    override: isTrue(ignoreUrls) ? undefined : override,
    caBundle,
    warnings: all.length > 0 ? all : undefined,
  };
}

/** Creates the network settings for a profile. Its `ca_bundle` is trusted. */
export async function openNetwork(
  profileName: string | undefined,
  env: Environment,
): Promise<Network> {
  const { caBundle } = await readServiceSettings('STS', profileName, env);
  return new Network(env, caBundle);
}

/**
 * Returns the region from the environment or the profile, or the reason why it is invalid.
 *
 * @param profile The profile's settings.
 */
export function readRegion(
  name: string,
  profile: Section,
  files: ProfileFiles | undefined,
  env: Environment,
): Pick<ServiceSettings, 'region' | 'regionProblem'> {
  const variable = ['AWS_REGION', 'AWS_DEFAULT_REGION'].find((one) => env[one]?.trim());
  const text = (variable ? env[variable] : profile.region)?.trim();
  if (!text) return { region: undefined, regionProblem: undefined };
  const fault = describeRegionFault(text);
  if (!fault) return { region: text, regionProblem: undefined };
  const place = files && formatSettingLocation(name, 'region', files);
  const setting =
    variable ?? `The region of profile "${name}"${place === undefined ? '' : ` (${place})`}`;
  return { region: undefined, regionProblem: `${setting} ${fault}` };
}

async function readFiles(
  name: string,
  env: Environment,
): Promise<{
  readonly files: ProfileFiles | undefined;
  readonly fault: string | undefined;
  readonly warnings: readonly string[];
}> {
  const twoProfiles = describeTwoProfiles(env);
  let files: ProfileFiles;
  try {
    files = await readProfileFiles(env);
  } catch (thrown) {
    return {
      files: undefined,
      fault: undefined,
      warnings: [...twoProfiles, getErrorMessage(thrown)],
    };
  }
  const fault = describeProfileFault(name, files);
  const own = fault
    ? [`The settings of profile "${name}" are not used, because it ${fault}`]
    : getProfileWarnings(name, files);
  const profileAndKey = describeProfileAndKey(name, files.profiles.get(name), env);
  return { files, fault, warnings: [...twoProfiles, ...profileAndKey, ...own] };
}

function describeTwoProfiles({
  AWS_PROFILE: chosen,
  AWS_DEFAULT_PROFILE: usual,
}: Environment): readonly string[] {
  if (!chosen || !usual || chosen === usual) return [];
  return [
    `AWS_PROFILE is "${chosen}" and AWS_DEFAULT_PROFILE is "${usual}": AWS_PROFILE counts, unset one of them`,
  ];
}

/**
 * Describes an access key that the profile of the environment overrides. The AWS SDK for JavaScript
 * prefers the profile. botocore prefers the key, unless the profile was passed by a program.
 */
function describeProfileAndKey(
  name: string,
  profile: Section | undefined,
  env: Environment,
): readonly string[] {
  const isChosen = getEnvironmentProfile(env) === name;
  if (!isChosen || !env.AWS_ACCESS_KEY_ID?.trim() || !env.AWS_SECRET_ACCESS_KEY?.trim()) return [];
  // The profile may assume its role with this key.
  if (profile?.credential_source?.toLowerCase() === 'environment') return [];
  const variable = env.AWS_PROFILE ? 'AWS_PROFILE' : 'AWS_DEFAULT_PROFILE';
  return [
    `${variable} is "${name}" and AWS_ACCESS_KEY_ID is also set: requests are signed with the profile, but the AWS CLI uses the access key. Unset one of them`,
  ];
}

function isTrue(text: string | undefined): boolean {
  return text?.trim().toLowerCase() === 'true';
}

/** Maximum payload of AgentCore in bytes (source: the model of `InvokeAgentRuntime`). */
export const PAYLOAD_LIMIT = 100_000_000;

const REGION = /^[a-z]{2,5}(-[a-z]+)+-\d{1,2}$/;

/** Availability Zones, Local Zones and Wavelength Zones: a region with a suffix. */
const ZONE = /^([a-z]{2,5}(?:-[a-z]+)+-\d{1,2})(?:[a-z]|(?:-[a-z\d]+)+)$/;

const ZONE_ID = /^[a-z]{2,6}\d-[a-z\d-]*az\d+$/;

/**
 * Explains why a text is not a region. Returns `undefined` for a region. The text is the end of a
 * sentence about the setting:
 * `is "us-east-1a", an availability zone: write us-east-1`.
 */
export function describeRegionFault(text: string): string | undefined {
  if (REGION.test(text)) return undefined;
  const fault = describeValueFault(text);
  if (fault) return fault;
  const [, region] = ZONE.exec(text) ?? [];
  if (region) return `is "${text}", an availability zone: write ${region}`;
  if (ZONE_ID.test(text)) return `is "${text}", the ID of an availability zone: write its region`;
  return `is "${text}", which is not a region: write one such as us-east-1`;
}
