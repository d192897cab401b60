import type { Environment } from '../environment.ts';
import { getErrorMessage } from '../error.ts';
import {
  describeProfileFault,
  describeServicesFault,
  expandPath,
  formatSettingLocation,
  getProfileWarnings,
  getServicesBlock,
  type ProfileFiles,
  readProfileFiles,
  type Section,
} from './credentials/profile-files.ts';
import type { EndpointOptions } from './endpoints.ts';
import { getEnvironmentProfile } from './environment-profile.ts';
import { Network } from './network.ts';
import { describeRegionFault } from './region.ts';

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
