import type { AwsCredentialIdentity } from '@smithy/types';
import { readRegion, readServiceSettings } from '../endpoints.ts';
import { createSdkRequestHandler } from '../sdk-client.ts';
import {
  describeMisreadProfile,
  getProfilePaths,
  getProfileWarnings,
  type ProfileFiles,
  readProfileFiles,
  type Section,
} from '../shared-config.ts';
import { assumeRole } from './assume-role.ts';
import { createCredentialsError, getErrorText } from './errors.ts';
import {
  getContainerCredentials,
  getInstanceCredentials,
  getWebIdentityCredentials,
  isInContainer,
  isInstanceMetadataEnabled,
} from './machine-providers.ts';
import { type CredentialsOptions, getEnvironmentCredentials, type Search } from './options.ts';
import { getProfileCredentials } from './profile-provider.ts';
import { describeProfile, sortBySimilarity } from './profiles.ts';

/** Maximum profile names in an error message. */
const MAX_NAMES = 5;

/** The result of a credential search. */
export interface Found {
  readonly identity: AwsCredentialIdentity;
  /** The region of the profile, even if the search did not need it. */
  readonly profileRegion: string | undefined;
}

/**
 * Creates a credential search in the order of the AWS SDKs:
 * - the named profile, if there is one,
 * - otherwise environment variables, the default profile, web identity, container and instance.
 *
 * It then assumes the configured roles. All clients use the configured network settings. Nothing is
 * cached, so each search reads the current files. If the first source found does not work, the
 * search fails and does not try the next one.
 */
export async function createProviderChain(
  options: CredentialsOptions,
): Promise<(search: Search) => Promise<Found>> {
  const { env, network } = options;
  const agent = await network.agentForAnyHost();
  const requestHandler = createSdkRequestHandler(
    agent,
    { connect: 10_000, read: 30_000 },
    options.clock,
  );

  const report = new WarningReport(options);

  return async (search) => {
    const paths = getProfilePaths(env);
    search.onFile(paths.config);
    search.onFile(paths.credentials);
    const files = await readProfileFiles(env);
    const used = options.profile ?? 'default';
    const settings = files.profiles.get(used);
    const regionFor = (name: string, section: Section = {}) => {
      const own = readRegion(name, section, files, env);
      const { region, regionProblem } =
        own.region || own.regionProblem ? own : readRegion(used, settings ?? {}, files, env);
      if (regionProblem) throw createCredentialsError(`Could not use the region: ${regionProblem}`);
      return region ?? options.region;
    };
    const sts = await readServiceSettings('STS', options.profile, env);
    const around = { files, options, search, requestHandler, regionFor, sts };
    let { identity, whose } = await getBaseCredentials(around);
    report.warn(sts.warnings ?? []);
    const role = options.assumeRole;
    const arns = role ? [...(role.chain ?? []), role.arn] : [];
    for (const [at, arn] of arns.entries()) {
      const { sessionName = '', mfaSerial, sourceIdentity, externalId, duration } = role ?? {};
      const isLast = at === arns.length - 1;
      identity = await assumeRole(
        {
          arn,
          sessionName,
          ...(at === 0 && { mfaSerial, sourceIdentity }),
          ...(isLast && { externalId, duration }),
        },
        {
          source: identity,
          whose,
          profile: undefined,
          region: regionFor(used, settings),
          sts,
          requestHandler,
          search,
          env,
        },
      );
      whose = `of ${arn}`;
    }
    return { identity, profileRegion: settings?.region };
  };
}

/** Logs each warning once, and again if it returns after the files changed. */
class WarningReport {
  readonly #options: CredentialsOptions;
  #last: readonly string[] = [];

  constructor(options: CredentialsOptions) {
    this.#options = options;
  }

  warn(warnings: readonly string[]): void {
    for (const sentence of warnings) {
      if (!this.#last.includes(sentence)) this.#options.log?.('warning', sentence);
    }
    this.#last = warnings;
  }
}

interface Base {
  readonly identity: AwsCredentialIdentity;
  readonly whose: string;
}

type Surroundings = Parameters<typeof getProfileCredentials>[1];

async function getBaseCredentials(around: Surroundings): Promise<Base> {
  const { options, files } = around;
  const { profile, env } = options;
  if (profile === undefined) {
    const identity = getEnvironmentCredentials(env);
    if (identity) return { identity, whose: 'in the environment' };
  } else if (!files.profiles.has(profile)) {
    throw createUnknownProfileError(profile, files, options);
  }
  const name = profile ?? 'default';
  const { kind, problem } = describeProfile(name, files);
  // The user did not choose the default profile. Only its role takes precedence over the web
  // identity in the environment.
  if (profile === undefined && kind !== 'role') {
    const identity = await getEnvironmentWebIdentity(around);
    if (identity) return { identity, whose: 'in the environment' };
  }
  if (kind !== 'unknown' || problem) {
    return { identity: await getProfileCredentials(name, around), whose: `of profile "${name}"` };
  }
  return { identity: await getMachineCredentials(around), whose: 'of this machine' };
}

/** Credentials of the web identity role in the environment, if it is set. */
async function getEnvironmentWebIdentity(
  around: Surroundings,
): Promise<AwsCredentialIdentity | undefined> {
  const { options, files, search, requestHandler, regionFor, sts } = around;
  const {
    AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
    AWS_ROLE_ARN,
    AWS_ROLE_SESSION_NAME,
  } = options.env;
  if (!tokenFile) return undefined;
  const { role_arn: usualRole, role_session_name: usualName } = files.profiles.get('default') ?? {};
  const roleArn = AWS_ROLE_ARN || usualRole;
  if (!roleArn) {
    throw createCredentialsError(
      'Could not use the web identity in the environment: AWS_WEB_IDENTITY_TOKEN_FILE is set, but no role. Set AWS_ROLE_ARN',
    );
  }
  return getWebIdentityCredentials({
    tokenFile,
    roleArn,
    sessionName: AWS_ROLE_SESSION_NAME || usualName,
    whose: 'in the environment',
    profile: undefined,
    region: regionFor('default'),
    sts,
    requestHandler,
    search,
  });
}

/** Credentials from sources without configuration: container and instance metadata. */
async function getMachineCredentials({ options }: Surroundings): Promise<AwsCredentialIdentity> {
  const { env } = options;
  if (isInContainer(env)) return getContainerCredentials(options);
  if (!isInstanceMetadataEnabled(env))
    throw createMissingCredentialsError(options, 'the instance metadata service is off');
  try {
    return await getInstanceCredentials(options);
  } catch (cause) {
    // Most machines are not EC2 instances, so the error of the metadata service is only a detail.
    throw createMissingCredentialsError(options, getErrorText(cause), cause);
  }
}

function createMissingCredentialsError(
  { profile, env }: CredentialsOptions,
  words: string,
  cause?: unknown,
): Error {
  if (profile !== undefined) {
    return createCredentialsError(
      `No AWS credentials in profile "${profile}": add keys, an SSO session, a role or a process to it (${words})`,
      { cause },
    );
  }
  const half = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'].filter((name) => env[name]);
  const todo =
    half.length === 1
      ? `${half[0]} is set, so set the other half of the key as well`
      : 'sign in, or set AWS_PROFILE';
  return createCredentialsError(
    `No AWS credentials in the environment or the default profile: ${todo} (${words})`,
    { cause },
  );
}

function createUnknownProfileError(
  profile: string,
  files: ProfileFiles,
  { env }: CredentialsOptions,
): Error {
  const { config, credentials } = getProfilePaths(env);
  const alike = describeMisreadProfile(profile, files);
  if (alike) return createCredentialsError(`Could not use profile "${profile}": ${alike}`);
  const names = sortBySimilarity(profile, files.profiles.keys());
  const shown = names
    .slice(0, MAX_NAMES)
    .map((name) => `"${name}"`)
    .join(', ');
  const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : '';
  const todo = shown
    ? `set AWS_PROFILE to one that is: ${shown}${more}`
    : 'add it, for instance by "aws configure sso"';
  const warnings = getProfileWarnings(profile, files).map((warning) => `. ${warning}`);
  return createCredentialsError(
    `Profile "${profile}" is neither in ${config} nor in ${credentials}: ${todo}${warnings.join('')}`,
  );
}
