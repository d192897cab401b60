import {
  computeRemainder,
  computeWeightedSum,
  passesLuhn,
  passesMod11With10,
  passesVerhoeff,
} from './check-digits.ts';
import { findMatches, type Place } from './finder.ts';

const TIMESTAMP = /^20[2-9]\d{5}(?:[01]\d|2[0-3])[0-5]\d$/;

interface NationalId {
  /** A regular expression for the id as it is written. */
  readonly written: string;
  /** Validates the id's letters, in upper case, and digits. */
  readonly isOne?: (id: string) => boolean;
}

const DAY = '(?:0[1-9]|[12]\\d|3[01])';

const MONTH = '(?:0[1-9]|1[0-2])';

/**
 * The values of the characters in odd places of a codice fiscale. 0 to 9 have the values of A to J.
 */
const ODD_PLACES = [
  1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
];

/**
 * Ids that a state issues to people. If the check digits exclude too few numbers, only the usual
 * grouping is recognized. Otherwise every twelfth number, including AWS account numbers, would be
 * detected as an Aadhaar.
 */
const IDS: readonly NationalId[] = [
  // United States: social security number, and taxpayer's number (9xx)
  { written: '(?!000|666)[0-8]\\d\\d([ -])(?!00)\\d\\d\\1(?!0000)\\d{4}' },
  { written: '9\\d\\d([ -])(?:5\\d|6[0-5]|7\\d|8[0-8]|9[0-24-9])\\1\\d{4}' },
  // United Kingdom: national insurance number
  {
    written:
      '[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?<!BG|GB|KN|NK|NT|TN|ZZ)[ -]?(?:\\d\\d[ -]?){3}[A-D]',
  },
  // Canada: social insurance number
  { written: '[0-79]\\d\\d([ -])\\d{3}\\1\\d{3}', isOne: passesLuhn },
  // Switzerland: AHV number
  {
    written: '756[ .]?\\d{4}[ .]?\\d{4}[ .]?\\d\\d',
    isOne: (digits) =>
      computeWeightedSum(digits, [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]) % 10 === 0,
  },
  // Germany: tax id
  { written: '[1-9]\\d ?\\d{3} ?\\d{3} ?\\d{3}', isOne: isGermanTaxId },
  // France: NIR, also for Corsica
  {
    written: '[1278] ?\\d\\d ?(?:0[1-9]|1[0-2]|[2-9]\\d) ?(?:\\d\\d|2[AB]) ?\\d{3} ?\\d{3} ?\\d\\d',
    isOne: isNir,
  },
  // Spain: DNI and NIE
  { written: '(?:\\d{8}|[XYZ][ -]?\\d{7})[ -]?[A-HJ-NP-TV-Z]', isOne: isDni },
  // Italy: codice fiscale
  {
    written:
      '[A-Z]{3} ?[A-Z]{3} ?[\\dLMNP-V]{2}[A-EHLMPRST][\\dLMNP-V]{2} ?[A-Z][\\dLMNP-V]{3}[A-Z]',
    isOne: isCodiceFiscale,
  },
  // Belgium: national register number, also for people born from 2000 on
  {
    written: `\\d\\d\\.?${MONTH}\\.?${DAY}[ -]?\\d{3}[ .]?\\d\\d`,
    isOne: (digits) => {
      const check = 97 - Number(digits.slice(9));
      const number = digits.slice(0, 9);
      return computeRemainder(number, 97) === check || computeRemainder(`2${number}`, 97) === check;
    },
  },
  // Poland: PESEL, whose month contains the century
  {
    written: `\\d\\d(?:[02468][1-9]|[13579][0-2])${DAY}\\d{5}`,
    isOne: (digits) => computeWeightedSum(digits, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 === 0,
  },
  // Sweden: personnummer, with its separator
  {
    written: `(?:19|20)?\\d\\d${MONTH}(?:${DAY}|[67-9]\\d)[-+]\\d{4}`,
    // `20261121-1530` is more often a time than a personal number.
    isOne: (digits) => !TIMESTAMP.test(digits) && passesLuhn(digits.slice(-10)),
  },
  // Finland: henkilötunnus
  {
    written: `${DAY}${MONTH}\\d\\d[-+A-FU-Y]\\d{3}[\\dA-FHJ-NPR-Y]`,
    isOne: (id) =>
      '0123456789ABCDEFHJKLMNPRSTUVWXY'[Number(id.slice(0, 6) + id.slice(-4, -1)) % 31] ===
      id.at(-1),
  },
  // Norway: fødselsnummer
  {
    written: `${DAY}${MONTH}\\d\\d ?\\d{5}`,
    isOne: (digits) =>
      computeWeightedSum(digits, [3, 7, 6, 1, 8, 9, 4, 5, 2, 1]) % 11 === 0 &&
      computeWeightedSum(digits, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11 === 0,
  },
  // Brazil: CPF
  { written: '\\d{3}\\.?\\d{3}\\.?\\d{3}-?\\d\\d', isOne: isCpf },
  // China: resident identity card (ISO/IEC 7064, MOD 11-2)
  {
    written: `\\d{6}(?:19|20)\\d\\d${MONTH}${DAY}\\d{3}[\\dX]`,
    isOne: (id) =>
      '10X98765432'[
        computeWeightedSum(id, [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11
      ] === id.at(-1),
  },
];

/** A repeated group such as `4111 4111 4111` is an example or padding, and not an id. */
const ONE_GROUP = /^(\d+)(?:[ -]\1)+$/;

/** Groups of four digits, which most texts do not contain. */
const GROUPS_OF_FOUR = /\d{4}[ -]\d{4}[ -]\d{4}/;

/** India: Aadhaar. Most cards begin with the same groups of four. */
const AADHAAR = { written: '[2-9]\\d{3}([ -])\\d{4}\\1\\d{4}', isOne: passesVerhoeff };

/**
 * Matches if any of the patterns except Aadhaar matches, so that most texts need only this one
 * check. Back references are replaced with separators, because group numbers differ here.
 */
const ANY = createIdPattern(
  IDS.map(({ written }) => written.replaceAll('\\1', '[ -]').replaceAll('([ -])', '[ -]')).join(
    '|',
  ),
);

const PATTERNS = [...IDS, AADHAAR].map((one) => ({
  ...one,
  pattern: createIdPattern(one.written),
}));

/** Names of members whose value is an id, although it is only nine digits. */
const MEMBER =
  /^(?:ssn|sin|bsn|itin|nino|tin)$|social.?(?:security|insurance)|national.?id|burgerservice|tax.?(?:payer)?.?id/i;

const NINE_DIGITS = /^\s*\d{3}[ .-]?\d{2,3}[ .-]?\d{3,4}\s*$/;

/** The common part of all ids: six digits with few other characters in between. */
const DIGITS = /\d(?:[A-Z .\-+]{0,2}\d){5}/i;

export function* findNationalIds(text: string, member?: string): Iterable<Place> {
  if (!DIGITS.test(text)) return;
  for (const { pattern, isOne } of selectPatterns(text)) {
    for (const { 0: written, index } of findMatches(text, pattern)) {
      if (ONE_GROUP.test(written)) continue;
      if (isOne && !isOne(written.replace(/[^A-Za-z\d]/g, '').toUpperCase())) continue;
      yield { start: index, end: index + written.length };
    }
  }
  if (member !== undefined && NINE_DIGITS.test(text) && MEMBER.test(member)) {
    yield { start: 0, end: text.length };
  }
}

function selectPatterns(text: string): readonly (typeof PATTERNS)[number][] {
  if (text.search(ANY) !== -1) return PATTERNS;
  return GROUPS_OF_FOUR.test(text) ? PATTERNS.slice(-1) : [];
}

function createIdPattern(written: string): RegExp {
  return new RegExp(
    `(?:(?<![A-Za-z\\d]|\\d[.-])|(?<=\\b(?:ssn|nino|sin|id|no|nr)))(?:${written})(?![A-Za-z\\d]|[.-]\\d|-[\\da-f]{4,12}-)`,
    'gi',
  );
}

/** One of the first ten digits occurs two or three times, and all others at most once. */
function isGermanTaxId(digits: string): boolean {
  const counts = new Array<number>(10).fill(0);
  for (const digit of digits.slice(0, 10)) counts[Number(digit)] = (counts[Number(digit)] ?? 0) + 1;
  const repeated = counts.filter((count) => count > 1);
  return repeated.length === 1 && (repeated[0] as number) < 4 && passesMod11With10(digits);
}

function isNir(id: string): boolean {
  // INSEE counts Corsica's departments as 19 and 18.
  const number = id.slice(0, 13).replace('2A', '19').replace('2B', '18');
  return /^\d+$/.test(number) && 97 - computeRemainder(number, 97) === Number(id.slice(13));
}

function isDni(id: string): boolean {
  const number = id.slice(0, -1).replace(/^[XYZ]/, (letter) => String('XYZ'.indexOf(letter)));
  return 'TRWAGMYFPDXBNJZSQVHLCKE'[Number(number) % 23] === id.at(-1);
}

function isCodiceFiscale(id: string): boolean {
  let sum = 0;
  for (let at = 0; at < 15; at++) {
    const code = id.charCodeAt(at);
    const rank = code < 58 ? code - 48 : code - 65;
    sum += at % 2 === 0 ? (ODD_PLACES[rank] as number) : rank;
  }
  return sum % 26 === id.charCodeAt(15) - 65;
}

function isCpf(digits: string): boolean {
  if (/^(\d)\1+$/.test(digits)) return false;
  const check = (sum: number) => ((sum * 10) % 11) % 10;
  return (
    check(computeWeightedSum(digits, [10, 9, 8, 7, 6, 5, 4, 3, 2])) === Number(digits[9]) &&
    check(computeWeightedSum(digits, [11, 10, 9, 8, 7, 6, 5, 4, 3, 2])) === Number(digits[10])
  );
}
