import { isArticleNumber, passesLuhn } from './check-digits.ts';
import { findGroupedDigits } from './digit-groups.ts';
import type { Place } from './finder.ts';

/** Detects payment cards: 13 to 19 digits of an issuer's range that pass Luhn's check. */
export function findCards(text: string): Iterable<Place> {
  return findGroupedDigits(text, 13, 19, isCard);
}

function isCard(digits: string): boolean {
  if (digits.length === 13 && isArticleNumber(digits)) return false;
  return isIssued(digits) && passesLuhn(digits);
}

/** The ranges and lengths that card networks issue (ISO/IEC 7812). */
function isIssued(digits: string): boolean {
  const { length } = digits;
  const two = Number(digits.slice(0, 2));
  const four = Number(digits.slice(0, 4));
  // Visa
  if (digits[0] === '4') return length === 13 || length === 16 || length === 19;
  // Mastercard
  if ((two >= 51 && two <= 55) || (four >= 2221 && four <= 2720)) return length === 16;
  // American Express
  if (two === 34 || two === 37) return length === 15;
  // Diners Club
  if (two === 36 || two === 38 || two === 39 || (four >= 3000 && four <= 3059)) {
    return length >= 14;
  }
  // Mir, Troy
  if ((four >= 2200 && four <= 2205) || four === 9792) return length >= 16;
  // JCB, Maestro, Discover, RuPay, UnionPay
  if (two === 35 || two === 62 || two === 81) return length >= 16;
  return two === 50 || (two >= 56 && two <= 69);
}
