import type { Place } from '../../aws/discovery/place.ts';
import type { Problem } from '../../aws/discovery/problem.ts';
import { environmentProfile } from '../../aws/environment-profile.ts';
import type { Environment } from '../../environment.ts';
import { messageOf } from '../../error.ts';
import { regionOf, roleOf } from '../credentials/entry-credentials.ts';
import type { DiscoverySettings } from './discovery-settings.ts';
import type { RuntimeEntry } from './runtime-entry.ts';
import { placeKey } from './runtime-node.ts';

/** The discovery settings and the entries. The entries apply if no profile is set. */
export interface DiscoveryChoice extends DiscoverySettings {
  readonly entries: readonly RuntimeEntry[];
}

export interface ChosenPlaces {
  readonly places: readonly Place[];
  readonly problems: readonly Problem[];
}

/**
 * Returns the places to discover: the configured profiles in the configured regions. If no profile
 * is configured, uses the places of the entries and the default profile of the environment. Without
 * entries there are no places, because the view then shows a welcome.
 *
 * @returns a problem for each unresolved place. Never throws.
 */
export async function choosePlaces(
  choice: DiscoveryChoice,
  env: Environment,
): Promise<ChosenPlaces> {
  const { resolvePlaces } = await import('../../aws/discovery/place.ts');
  const places = new Map<string, Place>();
  const problems = choice.problems.map((sentence) => problemOf(sentence));
  const add = (place: Place) => places.set(placeKey(place), place);
  for (const { profile, assumeRole, region } of wishesOf(choice, env)) {
    const regions = choice.regions.length > 0 ? choice.regions : region ? [region] : [];
    try {
      const profiles = profile === undefined ? [] : [profile];
      const found = await resolvePlaces({ profiles, regions, assumeRole }, env);
      for (const place of found.places) add(place);
    } catch (thrown) {
      const sentence = messageOf(thrown);
      if (problems.some((known) => known.sentence === sentence)) continue;
      problems.push(problemOf(sentence, { profile, assumeRole }));
    }
  }
  return { places: [...places.values()], problems };
}

/** A problem that the user can fix in the discovery settings. */
function problemOf(sentence: string, place: Partial<Place> = {}): Problem {
  const { profile, assumeRole } = place;
  const kind = 'no-region';
  return { place: { profile, assumeRole }, kind, api: undefined, subject: undefined, sentence };
}

/** A place whose region may be unknown. */
type Wish = Pick<Place, 'profile' | 'assumeRole'> & { readonly region: string | undefined };

function wishesOf({ profiles, entries }: DiscoveryChoice, env: Environment): readonly Wish[] {
  if (profiles.length > 0) return profiles.map((profile) => ({ profile, region: undefined }));
  const usual = environmentProfile(env);
  const ofEntries = entries.flatMap((entry): Wish[] => {
    const region = regionOf(entry);
    if (region === undefined || entry.authorization.kind === 'none') return [];
    const assumeRole = entry.role && roleOf(entry.role);
    return [{ profile: entry.profile ?? usual, assumeRole, region }];
  });
  const isNews = usual !== undefined && !ofEntries.some(({ profile }) => profile === usual);
  return ofEntries.length > 0 && isNews
    ? [...ofEntries, { profile: usual, region: undefined }]
    : ofEntries;
}
