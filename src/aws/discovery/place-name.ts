import type { DiscoveryScope } from './place.ts';

/** A short display name for messages and headings. */
export function formatScopeName({ profile, region, assumeRole }: Partial<DiscoveryScope>): string {
  const role = assumeRole && `role ${assumeRole.arn.slice(assumeRole.arn.lastIndexOf('/') + 1)}`;
  return [profile ?? 'environment', role, region].filter(Boolean).join(' · ');
}
