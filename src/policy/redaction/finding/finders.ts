import type { RedactionKind } from '../kinds.ts';
import { collectPatterns, type RedactionRules, resolveModes } from '../rules.ts';
import { findCards } from './cards.ts';
import { findEmails } from './emails.ts';
import type { Detector } from './finder.ts';
import { findIbans } from './ibans.ts';
import { findIpAddresses } from './ip-addresses.ts';
import { findNationalIds } from './national-ids.ts';
import { createPatternDetector } from './own-patterns.ts';
import { createPhoneDetector } from './phones.ts';
import { createSecretDetector } from './secrets.ts';

const BUILT_IN: readonly (readonly [RedactionKind, Detector])[] = [
  ['private-key', createSecretDetector('private-key')],
  ['aws-key', createSecretDetector('aws-key')],
  ['token', createSecretDetector('token')],
  ['email', requireSign('@', findEmails)],
  ['card', requireDigits(findCards)],
  ['iban', requireDigits(findIbans)],
  ['national-id', requireDigits(findNationalIds)],
  ['ip', requireDigits(findIpAddresses)],
];

/** The finders that need no library, by kind. */
export function createBuiltInDetectors(): Map<string, Detector[]> {
  return new Map(BUILT_IN.map(([kind, finder]) => [kind, [finder]]));
}

/**
 * Returns all finders that the rules need, by kind. The larger libraries are loaded only for rules
 * that need them.
 *
 * @throws {AgentCoreError} `config` if a policy's own pattern cannot be used.
 */
export async function createDetectors(
  rules: readonly RedactionRules[],
): Promise<ReadonlyMap<string, readonly Detector[]>> {
  const finders = createBuiltInDetectors();
  const wantsPhones = (['arguments', 'results'] as const).some((direction) =>
    resolveModes(rules, direction, undefined).has('phone'),
  );
  if (wantsPhones) {
    const countries = new Set(rules.flatMap((rule) => rule.countries ?? []));
    finders.set('phone', [requireDigits(await createPhoneDetector([...countries]))]);
  }
  for (const own of collectPatterns(rules)) {
    finders.set(own.name, [...(finders.get(own.name) ?? []), await createPatternDetector(own)]);
  }
  return finders;
}

function requireSign(sign: string, finder: Detector): Detector {
  return (text, member) => (text.includes(sign) ? finder(text, member) : []);
}

function requireDigits(finder: Detector): Detector {
  return (text, member) => (/\d/.test(text) ? finder(text, member) : []);
}
