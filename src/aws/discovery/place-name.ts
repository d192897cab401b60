import type { Place } from './place.ts';

/** A short display name for messages and headings. */
export function placeName({ profile, region, assumeRole }: Partial<Place>): string {
  const role = assumeRole && `role ${assumeRole.arn.slice(assumeRole.arn.lastIndexOf('/') + 1)}`;
  return [profile ?? 'environment', role, region].filter(Boolean).join(' · ');
}
