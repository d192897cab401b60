import { isIPv6 } from 'node:net';
import { matchesOf, type Place } from './finder.ts';

const OCTET = '(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)';
const IPV4 = new RegExp(`(?<![\\w.-])(?:${OCTET}\\.){3}${OCTET}(?![\\w-]|\\.\\d)`, 'g');
const IPV6 =
  /(?<![\w:.])(?:[\da-f]{0,4}:){2,8}(?:[\da-f]{1,4}|(?:\d{1,3}\.){3}\d{1,3})?(?![\w:])/gi;

/** IP addresses but those that name nobody: the machine's own and the unspecified one. */
export function* findIpAddresses(text: string): Iterable<Place> {
  for (const { 0: address, index } of text.includes('.') ? matchesOf(text, IPV4) : []) {
    if (/^(?:127\.|0\.0\.0\.0$)/.test(address)) continue;
    yield { start: index, end: index + address.length };
  }
  const colon = text.indexOf(':');
  if (colon === -1 || text.indexOf(':', colon + 1) === -1) return;
  for (const { 0: address, index } of matchesOf(text, IPV6)) {
    // `a::b` is an address, and a name in many a programming language.
    if (address.replace(/[^\da-f]/gi, '').length < 4 || !/\d/.test(address)) continue;
    if (isIPv6(address)) yield { start: index, end: index + address.length };
  }
}
