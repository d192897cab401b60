import { computeRemainder } from './check-digits.ts';
import { findMatches, type Place } from './finder.ts';

/** The number of characters of an IBAN by country (SWIFT's IBAN registry). */
const LENGTHS: ReadonlyMap<string, number> = new Map(
  (
    'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 ' +
    'DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 ' +
    'IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 ' +
    'MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 ' +
    'SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30'
  )
    .split(' ')
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

/**
 * Matches at the start of a word, after the word IBAN, or at a change from lower to upper case. The
 * lookahead comes first, because it fails in most places, and the lookbehind takes longer.
 */
const START =
  /(?=[A-Za-z]{2}[ -]?\d{2})(?:(?<![A-Za-z\d])|(?<=[Ii][Bb][Aa][Nn])|(?<=[a-z])(?=[A-Z]))[A-Za-z]{2}[ -]?\d{2}(?=(?:[ .-]?[A-Za-z\d]){11})/g;

/** Detects international bank account numbers, grouped or not, by their length and check digits. */
export function* findIbans(text: string): Iterable<Place> {
  for (const { 0: head, index } of findMatches(text, START)) {
    const length = LENGTHS.get(head.slice(0, 2).toUpperCase());
    if (length === undefined) continue;
    const end = findIbanEnd(text, index, length);
    if (end !== undefined && passesMod97(text.slice(index, end))) yield { start: index, end };
  }
}

/** The end of the given number of letters and digits, or undefined if there are more or fewer. */
function findIbanEnd(text: string, start: number, length: number): number | undefined {
  let left = length;
  let at = start;
  for (let gap = 0; left > 0; at++) {
    if (isWordCharacter(text, at)) {
      left -= 1;
      gap = 0;
    } else if (at >= text.length || !' .-'.includes(text[at] as string) || ++gap > 1) {
      return undefined;
    }
  }
  return isWordCharacter(text, at) ? undefined : at;
}

function isWordCharacter(text: string, at: number): boolean {
  return /[A-Za-z\d]/.test(text[at] ?? '');
}

/**
 * ISO 13616: the number modulo 97 is 1, with the first four characters moved to the end and letters
 * replaced with 10 to 35.
 */
function passesMod97(written: string): boolean {
  const iban = written.replace(/[^A-Za-z\d]/g, '').toUpperCase();
  const digits = (iban.slice(4) + iban.slice(0, 4)).replace(/[A-Z]/g, (letter) =>
    String(letter.charCodeAt(0) - 55),
  );
  return computeRemainder(digits, 97) === 1;
}
