import type { Environment } from '../../base/environment.ts';
import { AgentCoreError } from '../../base/errors.ts';
import type { AssumeRole } from '../credentials/options.ts';
import { listProfiles } from '../credentials/profiles.ts';
import { describeRegionFault, readServiceSettings, type ServiceSettings } from '../endpoints.ts';
import {
  describeMisreadProfile,
  getEnvironmentProfile,
  readProfileFiles,
} from '../shared-config.ts';
import type { DiscoveryScope, Problem } from './model.ts';

/** A unique and stable key of a scope. */
export function getScopeKey({ profile, region, assumeRole }: DiscoveryScope): string {
  return JSON.stringify([
    profile ?? null,
    region,
    assumeRole?.arn ?? null,
    assumeRole?.chain ?? [],
  ]);
}

/** The user's selection. */
interface ScopeChoice {
  /** If empty, the profile of the environment. */
  readonly profiles: readonly string[];
  /** If empty, the region of the environment, or else of each profile. */
  readonly regions: readonly string[];
  /** Use all profiles of the shared files and ignore `profiles`. */
  readonly allProfiles?: boolean | undefined;
  readonly assumeRole?: AssumeRole | undefined;
}

/**
 * Combines every selected profile with every selected region.
 *
 * @returns a problem for each unusable profile, and the scopes of the others.
 * @throws {AgentCoreError} `usage` if a region is invalid, or if the only profile has none;
 * `credentials` if the shared files cannot be read.
 */
export async function resolveScopes(
  choice: ScopeChoice,
  env: Environment,
): Promise<{ readonly places: readonly DiscoveryScope[]; readonly problems: readonly Problem[] }> {
  const { assumeRole, regions } = choice;
  for (const region of regions) requireRegion(region);
  const profiles = await listProfileNames(choice, env);
  const places: DiscoveryScope[] = [];
  const problems: Problem[] = [];
  for (const profile of profiles) {
    const settings = await readServiceSettings('Bedrock AgentCore Control', profile, env);
    const usual = settings.region === undefined ? [] : [settings.region];
    const own = regions.length > 0 ? [...new Set(regions)] : usual;
    for (const region of own) places.push({ profile, region, assumeRole });
    if (own.length > 0) continue;
    const problem = createMissingRegionProblem(
      profile,
      settings,
      await describeMissingProfile(profile, env),
    );
    if (profiles.length === 1) throw new AgentCoreError('usage', problem.sentence);
    problems.push(problem);
  }
  return { places, problems };
}

async function listProfileNames(
  { profiles, allProfiles }: ScopeChoice,
  env: Environment,
): Promise<readonly (string | undefined)[]> {
  if (allProfiles) {
    const known = await listProfiles(env);
    if (known.length > 0) return known.map(({ name }) => name);
    throw new AgentCoreError(
      'usage',
      'There are no AWS profiles: sign in with "aws configure sso", or go without --all-profiles',
    );
  }
  return profiles.length > 0 ? [...new Set(profiles)] : [getEnvironmentProfile(env)];
}

/** @throws {AgentCoreError} `usage` if the text is not a region. */
export function requireRegion(region: string): void {
  if (describeRegionFault(region) === undefined) return;
  throw new AgentCoreError('usage', `Not a region, expected one such as us-east-1: ${region}`);
}

/** Explains why the profile does not exist. Returns `undefined` if it exists. */
async function describeMissingProfile(
  profile: string | undefined,
  env: Environment,
): Promise<string | undefined> {
  if (profile === undefined) return undefined;
  const files = await readProfileFiles(env);
  if (files.profiles.has(profile)) return undefined;
  const misread = describeMisreadProfile(profile, files);
  return misread
    ? `Could not use profile "${profile}": ${misread}`
    : `There is no profile "${profile}": name one that is in the AWS config file, or add it with "aws configure sso"`;
}

function createMissingRegionProblem(
  profile: string | undefined,
  { regionProblem, warnings = [] }: ServiceSettings,
  missing: string | undefined,
): Problem {
  const common = { place: { profile }, api: undefined, subject: undefined };
  if (missing !== undefined) return { ...common, kind: 'credentials', sentence: missing };
  const whose = profile ? `Profile "${profile}" has no region` : 'There is no region';
  const none = `${whose}: name a region, set AWS_REGION, or add "region = …" to the profile`;
  return {
    ...common,
    kind: 'no-region',
    sentence: regionProblem ?? [none, ...warnings].join('. '),
  };
}

/** A short display name for messages and headings. */
export function formatScopeName({ profile, region, assumeRole }: Partial<DiscoveryScope>): string {
  const role = assumeRole && `role ${assumeRole.arn.slice(assumeRole.arn.lastIndexOf('/') + 1)}`;
  return [profile ?? 'environment', role, region].filter(Boolean).join(' · ');
}
