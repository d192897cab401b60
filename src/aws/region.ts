import { describeValueFault } from './value-fault.ts';

const REGION = /^[a-z]{2,5}(-[a-z]+)+-\d{1,2}$/;

/** Availability Zones, Local Zones and Wavelength Zones: a region with a suffix. */
const ZONE = /^([a-z]{2,5}(?:-[a-z]+)+-\d{1,2})(?:[a-z]|(?:-[a-z\d]+)+)$/;

const ZONE_ID = /^[a-z]{2,6}\d-[a-z\d-]*az\d+$/;

/**
 * Explains why a text is not a region. Returns `undefined` for a region. The text is the end of a
 * sentence about the setting:
 * `is "us-east-1a", an availability zone: write us-east-1`.
 */
export function describeRegionFault(text: string): string | undefined {
  if (REGION.test(text)) return undefined;
  const fault = describeValueFault(text);
  if (fault) return fault;
  const [, region] = ZONE.exec(text) ?? [];
  if (region) return `is "${text}", an availability zone: write ${region}`;
  if (ZONE_ID.test(text)) return `is "${text}", the ID of an availability zone: write its region`;
  return `is "${text}", which is not a region: write one such as us-east-1`;
}
