import type { CountryCode, PhoneNumber } from 'libphonenumber-js/min';
import { LruCache } from '../recent.ts';
import { isBookNumber } from './check-digits.ts';
import { isVersionAt } from './context.ts';
import { type Detector, findMatches, type Place } from './finder.ts';

/** A number with its country code in any format: `+41 44 668 18 00`, `0041 …`. */
const INTERNATIONAL =
  /(?=[+0])(?:(?<![A-Za-z\d])|(?<=(?:tel|phone|fax|mobile|mobil|cell|call)\.?))(?:\+|00[ .-]?(?=[1-9]))(?:[ .\-/()]{0,3}\d){7,17}(?!\d)/gi;

/** A North American number in its usual format: `(415) 555-2671`, `415.555.2671`. */
const NORTH_AMERICAN = /(?<![\w+.-])(?:\(\d{3}\)[ ]?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\w-]|\.\d)/g;

/** A possible national number, with separators or a leading 0. */
const NATIONAL =
  /(?<![\w+.-]|\d[,:]|::)(?:\(?\d{1,5}\)?[ .\-/]{1,2}\d|0\d)(?:[ .\-/()]{0,3}\d){4,12}(?!\w|-\w|[.,]\d)/g;

/** Bytes of cached results of number checks. */
const MAX_SCANNED_LENGTH = 64 * 1024;

const DAY = '(?:0?[1-9]|[12]\\d|3[01])';

const MONTH = '(?:0?[1-9]|1[0-2])';

const YEAR = '(?:1[89]|20|21)\\d\\d';

/** A date in any country's order, alone or with text after it. */
const DATE = new RegExp(
  `^(?:${YEAR}([-./ ])${MONTH}\\1${DAY}|${DAY}([-./ ])${MONTH}\\2(?:${YEAR}|\\d\\d)|` +
    `${MONTH}([-./])${DAY}\\3(?:${YEAR}|\\d\\d)|${YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\\d|3[01]))(?!\\d)`,
);

/** `0-306-40615-2`, `978-3-16-148410-0` */
const BOOK = /^(?:97[89][- ]?)?\d{1,5}[- ]\d{1,7}[- ]\d{1,7}[- ][\dX]$/;

/**
 * `126.0.6478.127`, `0.5`, `47.3769`, `0.5 12.25`: a group has one digit, or there is only a
 * decimal point.
 */
const VERSION = /^\d{1,5}(?:\.\d{1,5}){2,}$/;

const LONE_DIGIT = /(?:^|\.)\d(?:\.|$)/;

const DECIMALS = /^(?:0|[1-9]\d*)\.\d+(?:[ /-]{1,2}(?:0|[1-9]\d*)\.\d+)*$/;

/**
 * Creates a finder for telephone numbers that are valid according to libphonenumber. The library is
 * loaded here, because it is larger than all other code.
 *
 * @param countries Countries whose national numbers are recognized as well (ISO 3166, `CH`). North
 *   American numbers in their usual format are always recognized.
 */
export async function createPhoneDetector(countries: readonly string[]): Promise<Detector> {
  const { isSupportedCountry, parsePhoneNumberFromString } = await import('libphonenumber-js/min');
  const known = countries.filter((country): country is CountryCode => isSupportedCountry(country));

  // A value usually passes in both directions, often more than once.
  const looked = new LruCache<boolean>(MAX_SCANNED_LENGTH, (key) => 2 * key.length + 50);
  const isPhone = (written: string, country?: CountryCode) => {
    const key = `${country ?? ''} ${written}`;
    const before = looked.get(key);
    if (before !== undefined) return before;
    const options = { extract: false, ...(country && { defaultCountry: country }) };
    const parsed = parsePhoneNumberFromString(written, options);
    const is = (parsed?.isValid() ?? false) && (!country || hasTrunkPrefix(written, parsed));
    looked.set(key, is);
    return is;
  };

  function* each(
    text: string,
    pattern: RegExp,
    isOne: (written: string) => boolean,
  ): Iterable<Place> {
    for (const { 0: written, index } of findMatches(text, pattern)) {
      const length = findPhoneLength(written, isOne);
      if (length !== undefined) yield { start: index, end: index + length };
    }
  }

  const isNational = (written: string) =>
    known.some((country) => isPhone(written, country)) && !isOrdinary(written);

  return function* findPhones(text, member): Iterable<Place> {
    yield* each(text, INTERNATIONAL, (written) => isPhone(written.replace(/^00[ .-]?/, '+')));
    // Also if countries are configured: adding a country must not remove detections.
    yield* each(text, NORTH_AMERICAN, (written) => isPhone(written, 'US'));
    if (known.length === 0) return;
    for (const { 0: written, index } of findMatches(text, NATIONAL)) {
      // A number may follow a date.
      const date = DATE.exec(written)?.[0].length ?? 0;
      const rest = written.slice(date).replace(/^[ .\-/]+/, '');
      const start = index + written.length - rest.length;
      if (isOrdinary(rest) || isVersionAt(text, start, member)) continue;
      const length = findPhoneLength(rest, isNational);
      if (length !== undefined) yield { start, end: start + length };
    }
  };
}

/** Text in the format of a number that is usually something else. */
function isOrdinary(bracketed: string): boolean {
  const written = bracketed.replace(/[()]/g, '');
  if (/^0[.-]|^00|^[1-9]\d*-\d+ |^[1-9]\d{0,2}(?: 000)+$/.test(written)) return true;
  if (DATE.test(written) || DECIMALS.test(written)) return true;
  if (written.split(/[ /-]+/).some((part) => VERSION.test(part) && LONE_DIGIT.test(part))) {
    return true;
  }
  return BOOK.test(written) && isBookNumber(written.replace(/[^\dX]/g, ''));
}

/** A national number must have its trunk prefix, such as 0, in countries that have one. */
function hasTrunkPrefix(written: string, parsed: PhoneNumber | undefined): boolean {
  if (parsed?.countryCallingCode === '1') return true;
  return getDigits(parsed?.formatNational() ?? '').length === getDigits(written).length;
}

function getDigits(text: string): string {
  return text.replace(/\D/g, '');
}

/**
 * The length of the leading groups that are a number, if other digits follow. Undefined if there is
 * none.
 */
function findPhoneLength(written: string, isOne: (written: string) => boolean): number | undefined {
  let rest = written;
  for (let tries = 0; tries < 6 && rest.length > 6; tries++) {
    if (isOne(rest)) return rest.length;
    const shorter = rest.replace(/[^\d]+\d+$/, '');
    if (shorter === rest) return undefined;
    rest = shorter;
  }
  return undefined;
}
