import type { DiscoveryScope, Problem } from '../../aws/discovery/model.ts';
import { getScopeKey } from '../../aws/discovery/scopes.ts';
import { getEnvironmentProfile } from '../../aws/shared-config.ts';
import type { Environment } from '../../base/environment.ts';
import { getErrorMessage } from '../../base/errors.ts';
import { getRegion, toAssumeRole } from '../credentials/entry-credentials.ts';
import type { DiscoverySettings } from './discovery-settings.ts';
import type { RuntimeEntry } from './runtime-entry.ts';

/** The discovery settings and the entries. The entries apply if no profile is set. */
interface DiscoveryChoice extends DiscoverySettings {
  readonly entries: readonly RuntimeEntry[];
}

export interface ChosenScopes {
  readonly places: readonly DiscoveryScope[];
  readonly problems: readonly Problem[];
}

/**
 * Returns the places to discover: the configured profiles in the configured regions. If no profile
 * is configured, uses the places of the entries and the default profile of the environment. Without
 * entries there are no places, because the view then shows a welcome.
 *
 * @returns a problem for each unresolved place. Never throws.
 */
export async function chooseScopes(
  choice: DiscoveryChoice,
  env: Environment,
): Promise<ChosenScopes> {
  const { resolveScopes: resolvePlaces } = await import('../../aws/discovery/scopes.ts');
  const places = new Map<string, DiscoveryScope>();
  const problems = choice.problems.map((sentence) => createProblem(sentence));
  const add = (place: DiscoveryScope) => places.set(getScopeKey(place), place);
  for (const { profile, assumeRole, region } of getRequestedScopes(choice, env)) {
    const regions = choice.regions.length > 0 ? choice.regions : region ? [region] : [];
    try {
      const profiles = profile === undefined ? [] : [profile];
      const found = await resolvePlaces({ profiles, regions, assumeRole }, env);
      for (const place of found.places) add(place);
    } catch (thrown) {
      const sentence = getErrorMessage(thrown);
      if (problems.some((known) => known.sentence === sentence)) continue;
      problems.push(createProblem(sentence, { profile, assumeRole }));
    }
  }
  return { places: [...places.values()], problems };
}

/** A problem that the user can fix in the discovery settings. */
function createProblem(sentence: string, place: Partial<DiscoveryScope> = {}): Problem {
  const { profile, assumeRole } = place;
  const kind = 'no-region';
  return { place: { profile, assumeRole }, kind, api: undefined, subject: undefined, sentence };
}

/** A place whose region may be unknown. */
type ScopeRequest = Pick<DiscoveryScope, 'profile' | 'assumeRole'> & {
  readonly region: string | undefined;
};

function getRequestedScopes(
  { profiles, entries }: DiscoveryChoice,
  env: Environment,
): readonly ScopeRequest[] {
  if (profiles.length > 0) return profiles.map((profile) => ({ profile, region: undefined }));
  const usual = getEnvironmentProfile(env);
  const ofEntries = entries.flatMap((entry): ScopeRequest[] => {
    const region = getRegion(entry);
    if (region === undefined || entry.authorization.kind === 'none') return [];
    const assumeRole = entry.role && toAssumeRole(entry.role);
    return [{ profile: entry.profile ?? usual, assumeRole, region }];
  });
  const isNews = usual !== undefined && !ofEntries.some(({ profile }) => profile === usual);
  return ofEntries.length > 0 && isNews
    ? [...ofEntries, { profile: usual, region: undefined }]
    : ofEntries;
}
