import type { Place } from './place.ts';

/** A short name of a place, for sentences and headings. */
export function placeName({ profile, region, assumeRole }: Partial<Place>): string {
  const role = assumeRole && `role ${assumeRole.arn.slice(assumeRole.arn.lastIndexOf('/') + 1)}`;
  return [profile ?? 'environment', role, region].filter(Boolean).join(' · ');
}
