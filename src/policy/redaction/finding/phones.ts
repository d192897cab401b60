import type { CountryCode } from 'libphonenumber-js/min';
import { Recent } from '../recent.ts';
import { type Finder, matchesOf, type Place } from './finder.ts';

/** A number with its country, as it is written anywhere: `+41 44 668 18 00`, `0041 …`. */
const INTERNATIONAL = /(?<![A-Za-z\d])(?:\+|00[ .-]?(?=[1-9]))(?:[ .\-/()]{0,3}\d){7,17}(?!\d)/g;
/** North America's, as it is usually written: `(415) 555-2671`, `415.555.2671`. */
const NORTH_AMERICAN = /(?<![\w+.-])(?:\(\d{3}\)[ ]?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\w-]|\.\d)/g;
/** Whatever may be a number of a country: with signs between, or with a 0 in front. */
const NATIONAL =
  /(?<![\w+.-])(?:\(?\d{1,5}\)?[ .\-/]{1,2}\d|0\d)(?:[ .\-/()]{0,3}\d){4,12}(?![\w])/g;
/** Bytes of numbers that are known to be one, or none. */
const MOST_LOOKED = 64 * 1024;
const DATE = /^\d{4}-\d\d-\d\d/;

/**
 * Telephone numbers that exist as far as libphonenumber knows. The library is loaded here, for it
 * is larger than all the rest.
 *
 * @param countries Whose national numbers are recognised too (ISO 3166, `CH`); without them those
 *   of North America are, in their usual form.
 */
export async function phoneFinder(countries: readonly string[]): Promise<Finder> {
  const { isSupportedCountry, parsePhoneNumberFromString } = await import('libphonenumber-js/min');
  const known = countries.filter((country): country is CountryCode => isSupportedCountry(country));

  // What is found on its way to one side comes back from it, as a rule more than once.
  const looked = new Recent<boolean>(MOST_LOOKED, (key) => 2 * key.length + 50);
  const isPhone = (written: string, country?: CountryCode) => {
    const key = `${country ?? ''} ${written}`;
    const before = looked.get(key);
    if (before !== undefined) return before;
    const options = { extract: false, ...(country && { defaultCountry: country }) };
    const is = parsePhoneNumberFromString(written, options)?.isValid() ?? false;
    looked.set(key, is);
    return is;
  };

  function* each(text: string, pattern: RegExp, isOne: (written: string) => boolean) {
    for (const { 0: written, index } of matchesOf(text, pattern)) {
      const length = lengthOfPhone(written, isOne);
      if (length !== undefined) yield { start: index, end: index + length };
    }
  }

  return function* findPhones(text): Iterable<Place> {
    yield* each(text, INTERNATIONAL, (written) => isPhone(written.replace(/^00[ .-]?/, '+')));
    // Also where countries are named: a document that adds one takes nothing away.
    yield* each(text, NORTH_AMERICAN, (written) => isPhone(written, 'US'));
    if (known.length === 0) return;
    yield* each(
      text,
      NATIONAL,
      (written) => !DATE.test(written) && known.some((country) => isPhone(written, country)),
    );
  };
}

/** Of digits that go on behind a number, those groups that are the number; undefined for none. */
function lengthOfPhone(written: string, isOne: (written: string) => boolean): number | undefined {
  let rest = written;
  for (let tries = 0; tries < 6 && rest.length > 6; tries++) {
    if (isOne(rest)) return rest.length;
    const shorter = rest.replace(/[^\d]+\d+$/, '');
    if (shorter === rest) return undefined;
    rest = shorter;
  }
  return undefined;
}
