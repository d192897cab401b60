import { posix } from 'node:path';
import { isObject } from '../../../src/mcp/message.ts';

/** Letters of other scripts that look like Latin letters. */
const CONFUSABLES: Readonly<Record<string, string>> = {
  а: 'a',
  е: 'e',
  о: 'o',
  р: 'p',
  с: 'c',
  х: 'x',
  у: 'y',
  і: 'i',
  ԁ: 'd',
  ѕ: 's',
  ո: 'n',
  ӏ: 'l',
  ı: 'i',
  ɑ: 'a',
};

/** A name as the most lenient server would read it. */
function squashed(text: unknown): string {
  return String(text)
    .normalize('NFKD')
    .toLowerCase()
    .replace(/./gu, (character) => CONFUSABLES[character] ?? character)
    .replace(/[^a-z0-9]/g, '');
}

/** The texts in a value, as a server reads them that ignores types and white space. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'object' && value !== null) return Object.values(value).flatMap(textsIn);
  const text = String(value)
    .normalize('NFKC')
    .replace(/[\p{Cf}\p{Cc}]/gu, '')
    .trim();
  try {
    const held: unknown = JSON.parse(text);
    return held === value || String(held) === text ? [text] : textsIn(held);
  } catch {
    return [text];
  }
}

const FREE = new Set(['read', 'list_orders', 'list_', 'ask', 'ask_inline', 'limited']);
const METHODS = new Set([
  'toolscall',
  'promptsget',
  'resourcesread',
  'resourcessubscribe',
  'resourcesunsubscribe',
  'completioncomplete',
  'loggingsetlevel',
  'subscriptionslisten',
]);

/**
 * The forbidden actions that the most lenient server would take for a body. None of them may reach
 * the server.
 */
export function offencesIn(body: string): string[] {
  const value: unknown = JSON.parse(body);
  const messages = Array.isArray(value) ? value : [value];
  return messages.flatMap((message) =>
    isObject(message) ? [...offencesOf(message), ...offencesOf(asOthersRead(message))] : [],
  );
}

/** Some servers ignore the case of keys, and use the last such key. */
function asOthersRead(message: Record<string, unknown>): Record<string, unknown> {
  const fold = (value: unknown) =>
    isObject(value)
      ? Object.fromEntries(
          Object.entries(value).map(([key, member]) => [
            key
              .normalize('NFKC')
              .replace(/[\p{C}\p{Z}]/gu, '')
              .toLowerCase(),
            member,
          ]),
        )
      : {};
  const { params, ...rest } = fold(message);
  const read = fold(params);
  return { ...rest, params: { ...read, ...(isObject(read.ref) && { ref: fold(read.ref) }) } };
}

function offencesOf(message: Record<string, unknown>): string[] {
  const method = squashed(message.method);
  const params = isObject(message.params) ? message.params : {};
  if (!METHODS.has(method)) return [];
  const isExact =
    /^[a-zA-Z/]+$/.test(String(message.method)) && String(message.method).includes('/');
  if (!isExact || message.id === undefined) return [`method ${JSON.stringify(message.method)}`];
  switch (method) {
    case 'toolscall':
      return offencesOfCall(params);
    case 'promptsget':
      return params.name === 'hello' ? [] : [`prompt ${params.name}`];
    case 'loggingsetlevel':
      return textsIn(params.level).some((level) => /^debug$/i.test(level)) ? ['level debug'] : [];
    default:
      return offencesOfResource(params);
  }
}

function offencesOfCall({ name, arguments: given }: Record<string, unknown>): string[] {
  if (FREE.has(String(name))) return [];
  const args = isObject(given) ? given : {};
  if (given !== undefined && given !== null && !isObject(given))
    return ['arguments of another type'];
  const of = (key: string) =>
    Object.entries(args)
      .filter(([own]) => squashed(own.replace(/[!-/:-@[-`{-~]/g, 'x')) === key)
      .map(([, value]) => value);
  switch (name) {
    case 'pay': {
      const bad = of('amount').some((amount) => !(Number(amount) <= 500));
      const isBanned = textsIn(of('to')).some((country) => /^(kp|ir)$/i.test(country));
      return bad || isBanned ? [`pay ${JSON.stringify(args)}`] : [];
    }
    case 'refund': {
      const plain = JSON.stringify([of('items'), of('order')]).replaceAll('\\', '');
      const prices = plain.match(/"(price|total)":"?(\d+)/g) ?? [];
      const bad =
        of('amount').some((amount) => Number(amount) > 500) ||
        textsIn(of('note')).some((note) => /launder/i.test(note)) ||
        textsIn(of('way')).some((way) => /^wire$/i.test(way)) ||
        textsIn(of('hidden')).some((hidden) => /^(true|yes|on|y|t|1)$/i.test(hidden)) ||
        prices.some((price) => Number(/\d+/.exec(price)?.[0]) > 100);
      return bad ? [`refund ${JSON.stringify(args)}`] : [];
    }
    case 'export': {
      const { id, tags = [], ...more } = args;
      const good =
        Number.isInteger(id) && Number(id) >= 1 && Array.isArray(tags) && tags.length <= 2;
      return good && Object.keys(more).length === 0 ? [] : [`export ${JSON.stringify(args)}`];
    }
    case 'budgeted':
      return typeof args.n === 'number' && args.n >= 0 && args.n <= 100 && of('n').length === 1
        ? []
        : [`budgeted ${args.n}`];
    default:
      return [`tool ${JSON.stringify(name)}`];
  }
}

function offencesOfResource(params: Record<string, unknown>): string[] {
  const { uri, ref, notifications } = params;
  const reference = isObject(ref) ? ref : {};
  if (reference.type === 'ref/prompt') {
    return reference.name === 'hello' ? [] : [`prompt ${JSON.stringify(reference)}`];
  }
  const listed = Object.values(isObject(notifications) ? notifications : {}).flat();
  const uris = [uri, reference.uri, ...listed].filter((one) => one !== undefined);
  return uris.filter((one) => !isOpen(one)).map((one) => `resource ${JSON.stringify(one)}`);
}

/** A file URI outside /etc, after all normalizations that a server may apply. */
function isOpen(uri: unknown): boolean {
  let plain = String(uri);
  for (let times = 0; times < 3; times++) {
    plain = plain.replace(/%([0-9a-f]{2})/gi, (_, hex) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
  }
  plain = plain
    .normalize('NFKC')
    .replace(/[\p{Cf}\p{Cc}]/gu, '')
    .toLowerCase()
    .replaceAll('\\', '/');
  const [, path] = /^file:(?:\/\/localhost(?=\/))?(.*)$/.exec(plain) ?? [];
  return path !== undefined && !/^\/*etc\//.test(posix.normalize(path.trim()));
}
