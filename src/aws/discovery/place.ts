import type { Environment } from '../../environment.ts';
import { AgentCoreError } from '../../error.ts';
import type { AssumeRole } from '../credentials/credentials-options.ts';
import { listProfiles } from '../credentials/profiles.ts';
import { readServiceSettings } from '../shared-config.ts';
import type { Problem } from './problem.ts';

/** Where to look: somebody's account, in one region. */
export interface Place {
  /** Absent: what the environment has. */
  readonly profile?: string | undefined;
  readonly region: string;
  /** A role to assume first, as for runtimes of another account. */
  readonly assumeRole?: AssumeRole | undefined;
}

/** What the user chose. */
export interface PlaceChoice {
  /** None: that of the environment. */
  readonly profiles: readonly string[];
  /** None: that of the environment, else each profile's own. */
  readonly regions: readonly string[];
  /** In place of `profiles`, all that the shared files have. */
  readonly allProfiles?: boolean | undefined;
  readonly assumeRole?: AssumeRole | undefined;
}

const REGION = /^[a-z]{2}(-[a-z]+)+-\d{1,2}$/;

/**
 * Every chosen profile in every chosen region.
 *
 * @returns a problem for each profile that cannot be looked at; the others are.
 * @throws {AgentCoreError} `usage` for what is no region, and where nothing names one;
 *   `credentials` where the shared files cannot be read.
 */
export async function resolvePlaces(
  choice: PlaceChoice,
  env: Environment,
): Promise<{ readonly places: readonly Place[]; readonly problems: readonly Problem[] }> {
  const { assumeRole, regions } = choice;
  for (const region of regions) requireRegion(region);
  const profiles = await profilesOf(choice, env);
  const places: Place[] = [];
  const problems: Problem[] = [];
  for (const profile of profiles) {
    const own = regions.length > 0 ? [...new Set(regions)] : await regionsOf(profile, env);
    for (const region of own) places.push({ profile, region, assumeRole });
    if (own.length > 0) continue;
    const problem = noRegion(profile, await isKnown(profile, env));
    if (profiles.length === 1) throw new AgentCoreError('usage', problem.sentence);
    problems.push(problem);
  }
  return { places, problems };
}

async function profilesOf(
  { profiles, allProfiles }: PlaceChoice,
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
  return profiles.length > 0 ? [...new Set(profiles)] : [env.AWS_PROFILE || undefined];
}

async function regionsOf(profile: string | undefined, env: Environment): Promise<string[]> {
  const { region } = await readServiceSettings('Bedrock AgentCore Control', profile, env);
  return region && REGION.test(region) ? [region] : [];
}

/** @throws {AgentCoreError} `usage` */
export function requireRegion(region: string): void {
  if (REGION.test(region)) return;
  throw new AgentCoreError('usage', `Not a region, expected one such as us-east-1: ${region}`);
}

async function isKnown(profile: string | undefined, env: Environment): Promise<boolean> {
  return profile === undefined || (await listProfiles(env)).some(({ name }) => name === profile);
}

function noRegion(profile: string | undefined, isThere: boolean): Problem {
  const whose = profile ? `Profile "${profile}" has no region` : 'There is no region';
  if (!isThere) {
    return {
      place: { profile },
      kind: 'credentials',
      api: undefined,
      subject: undefined,
      sentence: `There is no profile "${profile}": name one that is in the AWS config file, or add it with "aws configure sso"`,
    };
  }
  return {
    place: { profile },
    kind: 'no-region',
    api: undefined,
    subject: undefined,
    sentence: `${whose}: name a region, set AWS_REGION, or add "region = …" to the profile`,
  };
}
