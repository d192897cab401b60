import { isIPv6 } from 'node:net';
import type { CountryCode, PhoneNumber } from 'libphonenumber-js/min';
import { LruCache } from '../base/cache.ts';
import { isBookNumber } from './detect-identifiers.ts';
import { type Detector, findMatches, type Place } from './rules.ts';

/** Maximum lengths before and after the @ (RFC 5321, 4.5.3.1). */
const MAX_LOCAL_PART_LENGTH = 64;

const MAX_DOMAIN_LENGTH = 255;

/** Maximum spaces on each side of an @ in an address. */
const MAX_SPACES = 3;

// RFC 5322's atext, without the separators of URLs and queries.
const LOCAL = /[\w.!$%*+~^'\-\u0080-\uffff]/;

/** Used if a Latin character precedes the @: text in a script without spaces may be before it. */
const LATIN_LOCAL = /[\w.!$%*+~^'\-\u00c0-\u024f]/;

const LATIN = /[\w\u00c0-\u024f]/;

const DOMAIN = /[A-Za-z\d.\-\u0080-\uffff]/;

const TOP_LEVEL = /^(?:[A-Za-z]{2,63}|[\u0080-\uffff]{2,63}|xn--[A-Za-z\d-]{2,59})$/;

/** Punctuation around an address. It is not part of the address. */
const AROUND = new Set([...".'*~^!-\u2018\u2019\u201c\u201d\u00ab\u00bb\u2026\u3002\uff0c"]);

/** Accounts of version control systems. They are not personal: `git@github.com:org/repo.git`. */
const SERVICE = /^(?:git|hg|svn|cvs|aur|gitea|forgejo)$/i;

const REPOSITORY = /^:[\w.~/-]{1,200}\.git\b/;

/** Extensions of files and systemd units. None is a common top-level domain. */
const FILE_ENDING = new RegExp(
  `\\.(?:${[
    'avif|bmp|gif|ico|jpe?g|png|svg|tiff?|webp|woff2?|ttf|otf|eot|mp[34]|webm|wav|ogg|pdf|docx?|xlsx?',
    'css|less|sass|scss|[cm]?jsx?|[cm]?tsx?|vue|json[5cl]?|ya?ml|toml|xml|html?|txt|log|csv|lock|map|patch',
    'conf|ini|cfg|env|bak|tmp|orig|gz|tgz|bz2|xz|tar|jar|war|whl|gem|deb|rpm|apk|dmg|exe|dll|dylib|node|wasm',
    'service|socket|timer|target|mount|device|slice|scope|test\\.[jt]s',
  ].join('|')})$`,
  'i',
);

/**
 * Versions of packages: `1.2.3-beta.rc`, `4.17.21.x`, `v2.next`. In contrast, `163.com` is a
 * domain.
 */
const PACKAGE_VERSION = /^(?:v?\d+\.\d+(?:\.\d+)*[-+]|v?\d+(?:\.\d+){1,3}\.[a-z]+$|v\d+\.[a-z]+$)/i;

/** Common top-level domains. If an address has spaces, it must have one of these. */
const COMMON_DOMAIN =
  /\.(?:com|org|net|edu|gov|mil|int|info|biz|io|dev|app|ai|example|test|co|eu|uk|us|ca|au|nz|de|at|ch|fr|es|it|pt|nl|be|lu|ie|dk|se|no|fi|is|pl|cz|sk|hu|ro|bg|gr|tr|ua|ru|cn|jp|kr|in|br|mx|ar|cl|za|il|ae|sg|hk|tw)$/i;

/** Detects e-mail addresses with two or more domain labels, also with spaces around the @. */
export function* findEmails(text: string): Iterable<Place> {
  let behind = 0;
  for (let at = text.indexOf('@'); at !== -1; at = text.indexOf('@', at + 1)) {
    const place = findAddressAt(text, at, behind) ?? findSpacedAddressAt(text, at, behind);
    if (!place) continue;
    yield place;
    behind = place.end;
  }
}

function findAddressAt(text: string, at: number, least: number): Place | undefined {
  const start = findLocalPartStart(text, at, least);
  const end = start === at ? undefined : findDomainEnd(text, at + 1);
  if (end === undefined) return undefined;
  const domain = text.slice(at + 1, end);
  if (FILE_ENDING.test(domain) || PACKAGE_VERSION.test(domain)) return undefined;
  if (SERVICE.test(text.slice(start, at))) return undefined;
  return REPOSITORY.test(text.slice(end, end + MAX_DOMAIN_LENGTH)) ? undefined : { start, end };
}

/**
 * Detects `jane.doe @ example.com` and `jane@ example.com`. If only the @ has a space before it,
 * the local part must have a dot, digit or underscore: otherwise it is a handle.
 */
function findSpacedAddressAt(text: string, at: number, least: number): Place | undefined {
  let before = at;
  while (at - before < MAX_SPACES && isSpace(text[before - 1])) before--;
  let behind = at + 1;
  while (behind - at <= MAX_SPACES && isSpace(text[behind])) behind++;
  if (behind === at + 1 && before === at) return undefined;
  const start = findLocalPartStart(text, before, least);
  if (start === before) return undefined;
  if (behind === at + 1 && !/[.\d_]/.test(text.slice(start, before))) return undefined;
  const end = findDomainEnd(text, behind);
  if (end === undefined || !COMMON_DOMAIN.test(text.slice(behind, end))) return undefined;
  return { start, end };
}

function isSpace(character: string | undefined): boolean {
  return character === ' ' || character === '\t';
}

function findLocalPartStart(text: string, at: number, least: number): number {
  if (text[at - 1] === '"') {
    const quote = text.lastIndexOf('"', at - 2);
    return quote >= Math.max(least, at - MAX_LOCAL_PART_LENGTH) ? quote : at;
  }
  const bound = Math.max(least, at - MAX_LOCAL_PART_LENGTH);
  const allowed = LATIN.test(text[at - 1] ?? '') ? LATIN_LOCAL : LOCAL;
  let start = at;
  while (start > bound && allowed.test(text[start - 1] as string)) start--;
  while (start < at && AROUND.has(text[start] as string)) start++;
  return start;
}

function findDomainEnd(text: string, start: number): number | undefined {
  if (text[start] === '[') {
    const literal = /^\[(?:IPv6:)?[\d.:a-f]{2,45}\]/i.exec(text.slice(start, start + 60));
    return literal ? start + literal[0].length : undefined;
  }
  const bound = Math.min(text.length, start + MAX_DOMAIN_LENGTH);
  let end = start;
  while (end < bound && DOMAIN.test(text[end] as string)) end++;
  while (end > start && AROUND.has(text[end - 1] as string)) end--;
  const labels = text.slice(start, end).split('.');
  if (labels[0] === '') return undefined;
  // Remove labels until the last is a top-level domain: other text may follow without a space.
  for (let label = labels.pop(); label !== undefined && labels.length > 0; label = labels.pop()) {
    if (TOP_LEVEL.test(label)) return end;
    const behind = /^[a-z]{2,63}(?![a-z-])/i.exec(label);
    if (behind) return end - label.length + behind[0].length;
    end -= label.length + 1;
  }
  return undefined;
}

/** A telephone number with its country code, in any format: `+41 44 668 18 00`, `0041 …`. */
const INTERNATIONAL =
  /(?=[+0])(?:(?<![A-Za-z\d])|(?<=(?:tel|phone|fax|mobile|mobil|cell|call)\.?))(?:\+|00[ .-]?(?=[1-9]))(?:[ .\-/()]{0,3}\d){7,17}(?!\d)/gi;

/** A North American number in its usual formats: `(415) 555-2671`, `415.555.2671`. */
const NORTH_AMERICAN = /(?<![\w+.-])(?:\(\d{3}\)[ ]?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\w-]|\.\d)/g;

/** A possible national telephone number, with separators or a leading 0. */
const NATIONAL =
  /(?<![\w+.-]|\d[,:]|::)(?:\(?\d{1,5}\)?[ .\-/]{1,2}\d|0\d)(?:[ .\-/()]{0,3}\d){4,12}(?!\w|-\w|[.,]\d)/g;

/** Maximum weight of cached number checks in bytes. */
const MAX_SCANNED_LENGTH = 64 * 1024;

const DAY = '(?:0?[1-9]|[12]\\d|3[01])';

const MONTH = '(?:0?[1-9]|1[0-2])';

const YEAR = '(?:1[89]|20|21)\\d\\d';

/** A date in the order of any country, alone or with text after it. */
const DATE = new RegExp(
  `^(?:${YEAR}([-./ ])${MONTH}\\1${DAY}|${DAY}([-./ ])${MONTH}\\2(?:${YEAR}|\\d\\d)|` +
    `${MONTH}([-./])${DAY}\\3(?:${YEAR}|\\d\\d)|${YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\\d|3[01]))(?!\\d)`,
);

/** The format of an ISBN: `0-306-40615-2`, `978-3-16-148410-0`. */
const BOOK = /^(?:97[89][- ]?)?\d{1,5}[- ]\d{1,7}[- ]\d{1,7}[- ][\dX]$/;

/**
 * Versions and decimal numbers: `126.0.6478.127`, `0.5`, `47.3769`, `0.5 12.25`. A version has a
 * group of one digit.
 */
const VERSION = /^\d{1,5}(?:\.\d{1,5}){2,}$/;

const LONE_DIGIT = /(?:^|\.)\d(?:\.|$)/;

const DECIMALS = /^(?:0|[1-9]\d*)\.\d+(?:[ /-]{1,2}(?:0|[1-9]\d*)\.\d+)*$/;

/**
 * Creates a detector for telephone numbers, validated by libphonenumber. The library is loaded
 * here, because it is larger than all other code.
 *
 * @param countries Countries (ISO 3166, `CH`) for the detection of national numbers. North American
 *   numbers in their usual formats are always detected.
 */
export async function createPhoneDetector(countries: readonly string[]): Promise<Detector> {
  const { isSupportedCountry, parsePhoneNumberFromString } = await import('libphonenumber-js/min');
  const known = countries.filter((country): country is CountryCode => isSupportedCountry(country));

  // Cache: a value usually passes in both directions, often more than once.
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
    // Even if countries are configured: adding a country must not remove detections.
    yield* each(text, NORTH_AMERICAN, (written) => isPhone(written, 'US'));
    if (known.length === 0) return;
    for (const { 0: written, index } of findMatches(text, NATIONAL)) {
      // If the match begins with a date, check the number after it.
      const date = DATE.exec(written)?.[0].length ?? 0;
      const rest = written.slice(date).replace(/^[ .\-/]+/, '');
      const start = index + written.length - rest.length;
      if (isOrdinary(rest) || isVersionAt(text, start, member)) continue;
      const length = findPhoneLength(rest, isNational);
      if (length !== undefined) yield { start, end: start + length };
    }
  };
}

/** True if the format is more usual for other numbers: dates, decimals, versions, ISBNs. */
function isOrdinary(bracketed: string): boolean {
  const written = bracketed.replace(/[()]/g, '');
  if (/^0[.-]|^00|^[1-9]\d*-\d+ |^[1-9]\d{0,2}(?: 000)+$/.test(written)) return true;
  if (DATE.test(written) || DECIMALS.test(written)) return true;
  if (written.split(/[ /-]+/).some((part) => VERSION.test(part) && LONE_DIGIT.test(part))) {
    return true;
  }
  return BOOK.test(written) && isBookNumber(written.replace(/[^\dX]/g, ''));
}

/** True if the number has its trunk prefix, such as 0, or if its country has none. */
function hasTrunkPrefix(written: string, parsed: PhoneNumber | undefined): boolean {
  if (parsed?.countryCallingCode === '1') return true;
  return getDigits(parsed?.formatNational() ?? '').length === getDigits(written).length;
}

function getDigits(text: string): string {
  return text.replace(/\D/g, '');
}

/**
 * Returns the length of the longest prefix of groups that is a telephone number: other digits may
 * follow it. Returns `undefined` if there is none.
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

const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';

const IPV4 = new RegExp(`(?<![\\w.-])(?:${OCTET}\\.){3}${OCTET}(?![\\w-]|\\.\\d)`, 'g');

/** Maximum characters between two versions. */
const REACH = 20;

const IPV6 =
  /(?<![\w:.])(?:[\da-f]{0,4}:){2,8}(?:[\da-f]{1,4}|(?:\d{1,3}\.){3}\d{1,3})?(?![\w:])/gi;

/** Addresses without a host (RFC 1122, 5735, 5771): loopback, multicast, masks and broadcast. */
const NOBODY = /^(?:0|127|22[4-9]|2[3-5]\d)\./;

/** Text between two versions, such as `from 1.2.3.4 to 1.2.3.5`. */
const CHAIN = /^(?:\s?(?:to|and|or|through|->|=>|→|-|–|,|\|\||\.\.\.?)\s?v?[<>=~^]{0,2}\s?)$/;

/** Detects IP addresses of hosts. Excludes versions of four numbers. */
export function* findIpAddresses(text: string, member?: string): Iterable<Place> {
  let endOfVersion = -1;
  for (const { 0: address, index } of text.includes('.') ? findMatches(text, IPV4) : []) {
    if (NOBODY.test(address)) continue;
    const isVersion =
      isVersionAt(text, index, member) ||
      (endOfVersion !== -1 && CHAIN.test(text.slice(endOfVersion, index).slice(0, REACH)));
    if (isVersion) endOfVersion = index + address.length;
    else yield { start: index, end: index + address.length };
  }
  const colon = text.indexOf(':');
  if (colon === -1 || text.indexOf(':', colon + 1) === -1) return;
  for (const { 0: address, index } of findMatches(text, IPV6)) {
    // Skip short ones: `a::b` is an address, but also a name in many programming languages.
    if (address.replace(/[^\da-f]/gi, '').length < 4 || !/\d/.test(address)) continue;
    if (isIPv6(address)) yield { start: index, end: index + address.length };
  }
}

/** Text right before a version. The number is then neither an address nor personal. */
const VERSION_BEFORE =
  /(?:\b(?:versions?|ver|v|releases?|rev|build|builds|firmware|fw|kernel|assembly|oid|sections?|sect|chapter|clause|figure|table|paragraph|appendix|rfc)\b|§)[\w-]{0,12}["']?\s?[=:]?\s?["'(]?(?:is |to |from |of |>=?|<=?|\^|~>?|==?)?\s?v?$/i;

/** A range operator, a product token such as `Chrome/126.0.1.2`, or a line of a lock file. */
const OPERATOR_BEFORE = /(?:[<>~^!=]=|[~^]|~>)\s?$|\b[A-Z][A-Za-z]{2,}\/$|(?:^|\n) {2,}[\w-]+ \($/;

const VERSION_MEMBER = /(?:^|[a-z_.-])(?:version|release|build|firmware|semver|oid)s?$/i;

/** Characters to check before a number. */
const CONTEXT_REACH = 40;

/** True if the number at `start` is a version, by the text before it or the member's name. */
function isVersionAt(text: string, start: number, member: string | undefined): boolean {
  if (member !== undefined && VERSION_MEMBER.test(member)) return true;
  const before = text.slice(Math.max(0, start - CONTEXT_REACH), start);
  return before !== '' && (VERSION_BEFORE.test(before) || OPERATOR_BEFORE.test(before));
}
