import { isIPv6 } from 'node:net';
import { isVersionAt } from './context.ts';
import { findMatches, type Place } from './finder.ts';

const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';

const IPV4 = new RegExp(`(?<![\\w.-])(?:${OCTET}\\.){3}${OCTET}(?![\\w-]|\\.\\d)`, 'g');

/** Maximum number of characters between two versions. */
const REACH = 20;

const IPV6 =
  /(?<![\w:.])(?:[\da-f]{0,4}:){2,8}(?:[\da-f]{1,4}|(?:\d{1,3}\.){3}\d{1,3})?(?![\w:])/gi;

/** RFC 1122, 5735 and 5771: this network, loopback, multicast, masks and broadcast. */
const NOBODY = /^(?:0|127|22[4-9]|2[3-5]\d)\./;

/** Text between two versions: `from 1.2.3.4 to 1.2.3.5`. */
const CHAIN = /^(?:\s?(?:to|and|or|through|->|=>|→|-|–|,|\|\||\.\.\.?)\s?v?[<>=~^]{0,2}\s?)$/;

/** Detects IP addresses, except those without a host and versions of four numbers. */
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
    // `a::b` is an address, but also a name in many programming languages.
    if (address.replace(/[^\da-f]/gi, '').length < 4 || !/\d/.test(address)) continue;
    if (isIPv6(address)) yield { start: index, end: index + address.length };
  }
}
