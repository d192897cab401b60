import type { Place } from './finder.ts';

/** RFC 5321, 4.5.3.1: the maximum lengths before and after the @. */
const MAX_LOCAL_PART_LENGTH = 64;

const MAX_DOMAIN_LENGTH = 255;

/** Maximum number of spaces on each side of an @ in an address. */
const MAX_SPACES = 3;

// RFC 5322's atext without the characters that separate an address from other parts of URLs and
// queries.
const LOCAL = /[\w.!$%*+~^'\-\u0080-\uffff]/;

/** In a script without spaces, words may be directly before and after an address. */
const LATIN_LOCAL = /[\w.!$%*+~^'\-\u00c0-\u024f]/;

const LATIN = /[\w\u00c0-\u024f]/;

const DOMAIN = /[A-Za-z\d.\-\u0080-\uffff]/;

const TOP_LEVEL = /^(?:[A-Za-z]{2,63}|[\u0080-\uffff]{2,63}|xn--[A-Za-z\d-]{2,59})$/;

/** Punctuation around an address, which is not part of it. */
const AROUND = new Set([...".'*~^!-\u2018\u2019\u201c\u201d\u00ab\u00bb\u2026\u3002\uff0c"]);

/** Accounts of version control systems, which are not personal: `git@github.com:org/repo.git`. */
const SERVICE = /^(?:git|hg|svn|cvs|aur|gitea|forgejo)$/i;

const REPOSITORY = /^:[\w.~/-]{1,200}\.git\b/;

/** Extensions of files and of systemd units. None is a top-level domain. */
const FILE_ENDING = new RegExp(
  `\\.(?:${[
    'avif|bmp|gif|ico|jpe?g|png|svg|tiff?|webp|woff2?|ttf|otf|eot|mp[34]|webm|wav|ogg|pdf|docx?|xlsx?',
    'css|less|sass|scss|[cm]?jsx?|[cm]?tsx?|vue|json[5cl]?|ya?ml|toml|xml|html?|txt|log|csv|lock|map|patch',
    'conf|ini|cfg|env|bak|tmp|orig|gz|tgz|bz2|xz|tar|jar|war|whl|gem|deb|rpm|apk|dmg|exe|dll|dylib|node|wasm',
    'service|socket|timer|target|mount|device|slice|scope|test\\.[jt]s',
  ].join('|')})$`,
  'i',
);

/** `1.2.3-beta.rc`, `4.17.21.x`, `v2.next`. In contrast, `163.com` is a domain. */
const PACKAGE_VERSION = /^(?:v?\d+\.\d+(?:\.\d+)*[-+]|v?\d+(?:\.\d+){1,3}\.[a-z]+$|v\d+\.[a-z]+$)/i;

/** Common top-level domains. An address with spaces must have one of these. */
const COMMON_DOMAIN =
  /\.(?:com|org|net|edu|gov|mil|int|info|biz|io|dev|app|ai|example|test|co|eu|uk|us|ca|au|nz|de|at|ch|fr|es|it|pt|nl|be|lu|ie|dk|se|no|fi|is|pl|cz|sk|hu|ro|bg|gr|tr|ua|ru|cn|jp|kr|in|br|mx|ar|cl|za|il|ae|sg|hk|tw)$/i;

/** Detects e-mail addresses with a domain of two or more labels, also with spaces around the @. */
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
 * Detects `jane.doe @ example.com` and `jane@ example.com`. A name after a space and an @ is a
 * handle.
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
  // A sentence, a number or another script may follow the address without a space.
  for (let label = labels.pop(); label !== undefined && labels.length > 0; label = labels.pop()) {
    if (TOP_LEVEL.test(label)) return end;
    const behind = /^[a-z]{2,63}(?![a-z-])/i.exec(label);
    if (behind) return end - label.length + behind[0].length;
    end -= label.length + 1;
  }
  return undefined;
}
