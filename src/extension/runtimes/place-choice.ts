import type { Place } from '../../aws/discovery/place.ts';
import type { Problem } from '../../aws/discovery/problem.ts';
import { environmentProfile } from '../../aws/environment-profile.ts';
import type { Environment } from '../../environment.ts';
import { messageOf } from '../../error.ts';
import { regionOf, roleOf } from '../credentials/entry-credentials.ts';
import type { DiscoverySettings } from './discovery-settings.ts';
import type { RuntimeEntry } from './runtime-entry.ts';
import { placeKey } from './runtime-node.ts';

/** The settings of discovery, and what stands in for them where they are empty. */
export interface DiscoveryChoice extends DiscoverySettings {
  readonly entries: readonly RuntimeEntry[];
}

export interface ChosenPlaces {
  readonly places: readonly Place[];
  readonly problems: readonly Problem[];
}

/**
 * Where to look: the chosen profiles in the chosen regions. Without a choice, wherever something is
 * set up already, and where `AWS_PROFILE` leads; nowhere at all while nothing is set up, because
 * then the view says how to begin.
 *
 * @returns a problem for what cannot be looked at; nothing is thrown.
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

/** What the settings of discovery can change. */
function problemOf(sentence: string, place: Partial<Place> = {}): Problem {
  const { profile, assumeRole } = place;
  const kind = 'no-region';
  return { place: { profile, assumeRole }, kind, api: undefined, subject: undefined, sentence };
}

/** A place, but for a region that nobody names. */
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
