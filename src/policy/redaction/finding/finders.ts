import type { RedactionKind } from '../kinds.ts';
import type { RedactionRules } from '../rules.ts';
import { modesFor, ownPatterns } from '../rules.ts';
import { findCards } from './cards.ts';
import { findEmails } from './emails.ts';
import type { Finder } from './finder.ts';
import { findIbans } from './ibans.ts';
import { findIpAddresses } from './ip-addresses.ts';
import { findNationalIds } from './national-ids.ts';
import { ownFinder } from './own-patterns.ts';
import { phoneFinder } from './phones.ts';
import { secretFinder } from './secrets.ts';

const BUILT_IN: readonly (readonly [RedactionKind, Finder])[] = [
  ['private-key', secretFinder('private-key')],
  ['aws-key', secretFinder('aws-key')],
  ['token', secretFinder('token')],
  ['email', ifAny('@', findEmails)],
  ['card', ifDigits(findCards)],
  ['iban', ifDigits(findIbans)],
  ['national-id', ifDigits(findNationalIds)],
  ['ip', ifDigits(findIpAddresses)],
];

/** The finders that need no library, by kind. */
export function builtInFinders(): Map<string, Finder[]> {
  return new Map(BUILT_IN.map(([kind, finder]) => [kind, [finder]]));
}

/**
 * Returns all finders that the rules need, by kind. The larger libraries are loaded only for rules
 * that need them.
 *
 * @throws {AgentCoreError} `config` if a policy's own pattern cannot be used.
 */
export async function findersFor(
  rules: readonly RedactionRules[],
): Promise<ReadonlyMap<string, readonly Finder[]>> {
  const finders = builtInFinders();
  const wantsPhones = (['arguments', 'results'] as const).some((direction) =>
    modesFor(rules, direction, undefined).has('phone'),
  );
  if (wantsPhones) {
    const countries = new Set(rules.flatMap((rule) => rule.countries ?? []));
    finders.set('phone', [ifDigits(await phoneFinder([...countries]))]);
  }
  for (const own of ownPatterns(rules)) {
    finders.set(own.name, [...(finders.get(own.name) ?? []), await ownFinder(own)]);
  }
  return finders;
}

function ifAny(sign: string, finder: Finder): Finder {
  return (text, member) => (text.includes(sign) ? finder(text, member) : []);
}

function ifDigits(finder: Finder): Finder {
  return (text, member) => (/\d/.test(text) ? finder(text, member) : []);
}
