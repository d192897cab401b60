import { findMatches, type Place } from './rules.ts';

const TIMESTAMP = /^20[2-9]\d{5}(?:[01]\d|2[0-3])[0-5]\d$/;

/** The format of a national id. */
interface NationalId {
  /** Regular expression for the id with its separators. */
  readonly written: string;
  /** Validates the check digits. The id has upper-case letters and no separators. */
  readonly isOne?: (id: string) => boolean;
}

const DAY = '(?:0[1-9]|[12]\\d|3[01])';

const MONTH = '(?:0[1-9]|1[0-2])';

/**
 * Values of the characters at odd places of a codice fiscale. 0 to 9 have the values of A to J.
 */
const ODD_PLACES = [
  1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
];

/**
 * Ids of people, issued by states. If the check digits exclude too few numbers, only the usual
 * grouping is detected. Otherwise too many ordinary numbers would match, such as AWS account ids.
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
  // Poland: PESEL. Its month contains the century.
  {
    written: `\\d\\d(?:[02468][1-9]|[13579][0-2])${DAY}\\d{5}`,
    isOne: (digits) => computeWeightedSum(digits, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 === 0,
  },
  // Sweden: personnummer, with its separator
  {
    written: `(?:19|20)?\\d\\d${MONTH}(?:${DAY}|[67-9]\\d)[-+]\\d{4}`,
    // Exclude times: `20261121-1530` is more often a time than a personal number.
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

/** A repeated group such as `4111 4111 4111`. It is an example or padding, not an id. */
const ONE_GROUP = /^(\d+)(?:[ -]\1)+$/;

/** Groups of four digits. A fast check, because most texts have none. */
const GROUPS_OF_FOUR = /\d{4}[ -]\d{4}[ -]\d{4}/;

const VERHOEFF_PERMUTATION = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];

/** India: Aadhaar. Separate from the other ids, because most payment cards have such groups. */
const AADHAAR = { written: '[2-9]\\d{3}([ -])\\d{4}\\1\\d{4}', isOne: passesVerhoeff };

/**
 * Matches if any of the patterns but Aadhaar matches. Most texts need only this check. Separators
 * replace the back references, because group numbers differ here.
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

/** Names of members with an id as value. Their value of nine digits counts as an id. */
const MEMBER =
  /^(?:ssn|sin|bsn|itin|nino|tin)$|social.?(?:security|insurance)|national.?id|burgerservice|tax.?(?:payer)?.?id/i;

const NINE_DIGITS = /^\s*\d{3}[ .-]?\d{2,3}[ .-]?\d{3,4}\s*$/;

/** The common part of all ids: six digits with few other characters between. */
const DIGITS = /\d(?:[A-Z .\-+]{0,2}\d){5}/i;

/** Detects ids of people, issued by the states in {@link IDS} and India. */
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

/**
 * True if exactly one of the first ten digits occurs two or three times, and the check digit fits.
 */
function isGermanTaxId(digits: string): boolean {
  const counts = new Array<number>(10).fill(0);
  for (const digit of digits.slice(0, 10)) counts[Number(digit)] = (counts[Number(digit)] ?? 0) + 1;
  const repeated = counts.filter((count) => count > 1);
  return repeated.length === 1 && (repeated[0] as number) < 4 && passesMod11With10(digits);
}

function isNir(id: string): boolean {
  // For the check digits, Corsica's departments count as 19 and 18 (INSEE).
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

/** Detects payment cards: 13 to 19 digits in an issuer's range, with a Luhn check digit. */
export function findCards(text: string): Iterable<Place> {
  return findGroupedDigits(text, 13, 19, isCard);
}

function isCard(digits: string): boolean {
  if (digits.length === 13 && isArticleNumber(digits)) return false;
  return isIssued(digits) && passesLuhn(digits);
}

/** True for the ranges and lengths of card networks (ISO/IEC 7812). */
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

/** Characters of an IBAN by country (source: SWIFT's IBAN registry). */
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
 * The start of an IBAN: at the start of a word, after the word IBAN, or at a change from lower to
 * upper case. The lookahead comes first, because it fails at most places and is faster.
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

/** Returns the end of `length` letters and digits; `undefined` if there are more or fewer. */
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
 * True if the check digits of an IBAN fit (ISO 13616). The first four characters move to the end,
 * and letters become 10 to 35. Then the number modulo 97 is 1.
 */
function passesMod97(written: string): boolean {
  const iban = written.replace(/[^A-Za-z\d]/g, '').toUpperCase();
  const digits = (iban.slice(4) + iban.slice(0, 4)).replace(/[A-Z]/g, (letter) =>
    String(letter.charCodeAt(0) - 55),
  );
  return computeRemainder(digits, 97) === 1;
}

/** Digits in a row, with optional separators between groups. */
const RUN = /\d(?:[ \t.\-_/]{0,2}\d){12,}/g;

const GROUP = /\d+/g;

const SPACED_DIGITS = /^\d(?:[ \t.\-_/]{1,2}\d)+$/;

/**
 * Finds numbers of `least` to `most` digits: in one group, or in groups of three or more digits
 * with separators. If single digits are separated, the whole run must be one number. Otherwise any
 * list of numbers would match.
 *
 * @param least Thirteen or more.
 */
function* findGroupedDigits(
  text: string,
  least: number,
  most: number,
  isOne: (digits: string) => boolean,
): Iterable<Place> {
  for (const { 0: run, index } of findMatches(text, RUN)) {
    if (isInLongWord(text, index, index + run.length)) continue;
    if (SPACED_DIGITS.test(run)) {
      const digits = run.replace(/\D/g, '');
      if (digits.length >= least && digits.length <= most && isOne(digits)) {
        yield { start: index, end: index + run.length };
      }
      continue;
    }
    yield* findGroupsInRun(run, index, least, most, isOne);
  }
}

function* findGroupsInRun(
  run: string,
  offset: number,
  least: number,
  most: number,
  isOne: (digits: string) => boolean,
): Iterable<Place> {
  const groups = findMatches(run, GROUP).map(({ 0: digits, index }) => ({ digits, index }));
  let from = 0;
  while (from < groups.length) {
    let digits = '';
    let best: number | undefined;
    for (let to = from; to < groups.length; to++) {
      const group = groups[to] as { digits: string };
      digits += group.digits;
      if (digits.length > most) break;
      if (digits.length >= least && !isFraction(run, groups, from, to) && isOne(digits)) best = to;
      if (group.digits.length < 3) break;
    }
    if (best === undefined) {
      from += 1;
      continue;
    }
    const first = groups[from] as { index: number };
    const last = groups[best] as { index: number; digits: string };
    yield { start: offset + first.index, end: offset + last.index + last.digits.length };
    from = best + 1;
  }
}

/** True for a single group after a decimal point, such as the decimals of `0.4111111111111111`. */
function isFraction(
  run: string,
  groups: readonly { readonly index: number; readonly digits: string }[],
  from: number,
  to: number,
): boolean {
  if (from !== to || from === 0) return false;
  const { index } = groups[from] as { index: number };
  return run[index - 1] === '.' && /\d/.test(run[index - 2] ?? '');
}

/**
 * Minimum length of a word that counts as a hash, a key or encoded data. It can contain any digits.
 */
const LONG_WORD = 32;

/**
 * True if letters are next to the digits, in a word too long for normal text.
 */
function isInLongWord(text: string, start: number, end: number): boolean {
  if (!/[A-Za-z]/.test(`${text[start - 1] ?? ''}${text[end] ?? ''}`)) return false;
  let from = start;
  while (end - from < LONG_WORD && /[A-Za-z\d]/.test(text[from - 1] ?? '')) from--;
  let to = end;
  while (to - from < LONG_WORD && /[A-Za-z\d]/.test(text[to] ?? '')) to++;
  return to - from >= LONG_WORD;
}

/** True if the last digit is the Luhn check digit (ISO/IEC 7812-1). */
function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let at = digits.length - 1, doubled = false; at >= 0; at--, doubled = !doubled) {
    const digit = digits.charCodeAt(at) - 48;
    sum += doubled ? (digit > 4 ? 2 * digit - 9 : 2 * digit) : digit;
  }
  return sum % 10 === 0;
}

/** Computes the remainder of a decimal number of any length. */
function computeRemainder(digits: string, divisor: number): number {
  let rest = 0;
  for (let at = 0; at < digits.length; at++) {
    rest = (rest * 10 + digits.charCodeAt(at) - 48) % divisor;
  }
  return rest;
}

/** Computes the sum of the digits, each multiplied by its weight. */
function computeWeightedSum(digits: string, weights: readonly number[]): number {
  return weights.reduce((sum, weight, at) => sum + weight * (digits.charCodeAt(at) - 48), 0);
}

/** True if the last digit is the check digit of ISO/IEC 7064, MOD 11,10. */
function passesMod11With10(digits: string): boolean {
  let product = 10;
  for (let at = 0; at < digits.length - 1; at++) {
    const sum = (digits.charCodeAt(at) - 48 + product) % 10 || 10;
    product = (2 * sum) % 11;
  }
  return (11 - product) % 10 === digits.charCodeAt(digits.length - 1) - 48;
}

/** True if the last digit is the check digit of Verhoeff's algorithm. */
function passesVerhoeff(digits: string): boolean {
  let check = 0;
  for (let place = 0; place < digits.length; place++) {
    let digit = digits.charCodeAt(digits.length - 1 - place) - 48;
    for (let times = place % 8; times > 0; times--) digit = VERHOEFF_PERMUTATION[digit] as number;
    check = multiplyDihedral(check, digit);
  }
  return check === 0;
}

/** Computes the product in the dihedral group of order ten. */
function multiplyDihedral(one: number, other: number): number {
  if (one < 5) return other < 5 ? (one + other) % 5 : 5 + ((one + other - 5) % 5);
  return other < 5 ? 5 + ((one - 5 - other + 5) % 5) : (one - other + 5) % 5;
}

/** True for an EAN-13 of books (ISO 2108) or other articles. */
function isArticleNumber(digits: string): boolean {
  return computeWeightedSum(digits, [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]) % 10 === 0;
}

/** True for an ISBN of ten or thirteen digits. */
export function isBookNumber(digits: string): boolean {
  if (digits.length === 13) return /^97[89]/.test(digits) && isArticleNumber(digits);
  if (!/^\d{9}[\dX]$/.test(digits)) return false;
  const last = digits.endsWith('X') ? 10 : digits.charCodeAt(9) - 48;
  return (computeWeightedSum(digits.slice(0, 9), [10, 9, 8, 7, 6, 5, 4, 3, 2]) + last) % 11 === 0;
}
