import type { Line } from '../../fixtures/proxy-process.ts';

/** A line for the proxy that contains personal data. */
export interface Disclosure {
  readonly what: string;
  readonly line: string;
  /** Undefined if no answer is expected. */
  readonly id: string | undefined;
  /** The arguments of `mirror`, which must be returned unchanged. */
  readonly mirrored?: Line;
}

/** Data of each shape, from documentation and test ranges, so that it belongs to no person. */
export const DATA: Readonly<Record<string, string>> = {
  email: 'zoe.quist@hidden.example',
  card: '4111111111111111',
  iban: 'DE89370400440532013000',
  phone: '+41446681800',
  ssn: '078-05-1120',
  key: 'AKIAIOSFODNN7EXAMPLE',
  jwt: 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl',
};

const escaped = (text: string, prefix: string) =>
  text.replace(/./gs, (one) => prefix + one.charCodeAt(0).toString(16).padStart(4, '0'));
const fullWidth = (text: string) =>
  text.replace(/[!-~]/g, (one) => String.fromCharCode(one.charCodeAt(0) + 0xfee0));
const between = (sign: string) => (text: string) => [...text].join(sign);
const base64 = (text: string) => Buffer.from(text).toString('base64');
const json = (text: string) => JSON.stringify({ a: text });

/** Ways to hide data from detection. */
const DISGUISES: Readonly<Record<string, (datum: string) => unknown>> = {
  'as it is': (datum) => datum,
  'in a sentence': (datum) => `It is (${datum}), as I said.`,
  'in quotes': (datum) => `"${datum}"`,
  'in CSV': (datum) => `id;value\n1;${datum}\n2;none`,
  'in XML': (datum) => `<person><value>${datum}</value></person>`,
  'in Markdown': (datum) => `[here](https://x.example/ "${datum}") **${datum}**`,
  'as a key': (datum) => ({ [datum]: 1 }),
  'in lists in lists': (datum) => [[[[[[[[{ a: [[datum]] }]]]]]]]],
  'forty deep': (datum) => {
    let value: unknown = datum;
    for (let depth = 0; depth < 40; depth++) value = { in: value };
    return value;
  },
  'in JSON': json,
  'in JSON in JSON in JSON': (datum) => json(json(json(datum))),
  'as a key of JSON in a string': (datum) => JSON.stringify({ [datum]: null }),
  'in lines of JSON': (datum) => `${json('x')}\n${json(datum)}`,
  'in base64': (datum) => base64(`value: ${datum}`),
  'in base64 without padding': (datum) => base64(`value: ${datum}`).replace(/=+$/, ''),
  'in base64 for URLs': (datum) => Buffer.from(`value?>: ${datum}`).toString('base64url'),
  'in base64 of JSON': (datum) => base64(json(datum)),
  'in base64 of base64': (datum) => base64(base64(`value: ${datum}`)),
  'in a data URL': (datum) => `data:text/plain;base64,${base64(`value: ${datum}`)}`,
  'in base64 behind a sign that is none': (datum) => base64(`\u0001${datum}`),
  'in base64 in a sentence': (datum) => `Decode ${base64(`value: ${datum}`)} for me`,
  'in base64 between spaces': (datum) => ` ${base64(`value: ${datum}`)}\n`,
  'in base64 in lines': (datum) =>
    base64(`${'filler text '.repeat(10)}${datum}`).replace(/.{76}/g, '$&\r\n'),
  'in base64 in base64 in a sentence': (datum) => `x ${base64(`y ${base64(`value: ${datum}`)} z`)}`,
  'in a data URL in Markdown': (datum) => `![x](data:text/plain;base64,${base64(`at ${datum}`)})`,
  'URL-encoded twice in a sentence': (datum) =>
    `See https://x.example/?q=${encodeURIComponent(encodeURIComponent(datum))} there`,
  'URL-encoded as a form': (datum) => new URLSearchParams({ q: `value ${datum}` }).toString(),
  'URL-encoded': (datum) => encodeURIComponent(`value: ${datum}`),
  'URL-encoded twice': (datum) => encodeURIComponent(encodeURIComponent(`value: ${datum}`)),
  'URL-encoded JSON': (datum) => encodeURIComponent(json(datum)),
  'in a query': (datum) => `https://x.example/find?q=${encodeURIComponent(datum)}&page=1`,
  'in a path': (datum) => `https://x.example/people/${datum}/orders`,
  'in full width': fullWidth,
  'with signs without width': between('\u200b'),
  'with word joiners': between('\u2060'),
  'with soft hyphens': between('\u00ad'),
  'with variation selectors': between('\ufe0f'),
  'from right to left': (datum) => `\u202e${datum}\u202c`,
  'behind a byte order mark': (datum) => `\ufeff${datum}`,
  'in HTML entities': (datum) => datum.replace(/[^A-Za-z]/g, (one) => `&#${one.charCodeAt(0)};`),
  'in long HTML entities': (datum) =>
    [...datum].map((one) => `&#x00${one.charCodeAt(0).toString(16)};`).join(''),
  'in longer HTML entities': (datum) => datum.replace(/./g, (one) => `&#00${one.charCodeAt(0)};`),
  'in escapes of a program': (datum) =>
    datum.replace(/./g, (one) => `\\x${one.charCodeAt(0).toString(16)}`),
  'in escapes of a younger program': (datum) =>
    datum.replace(/./g, (one) => `\\u{${one.charCodeAt(0).toString(16)}}`),
  'with accents on all of it': between('\u0301'),
  'with fillers': between('\u3164'),
  'with empty Braille': between('\u2800'),
  'with signs of control': between('\u0001'),
  'with half a character': (datum) => `${datum.slice(0, 3)}\ud800${datum.slice(3)}`,
  'in escapes of JSON within a text': (datum) =>
    datum.replace(/[^A-Za-z]/g, (one) => escaped(one, '\\u')),
};

/** Ways that apply to numbers only. */
const OF_NUMBERS: Readonly<Record<string, (datum: string) => unknown>> = {
  'as a number': Number,
  'as a number with a fraction': (datum) => Number(`${datum}.5`),
  'as a number below zero': (datum) => -Number(datum),
  'in groups': (datum) => datum.replace(/\d{4}(?=\d)/g, '$& '),
  'with hyphens': (datum) => datum.replace(/\d{4}(?=\d)/g, '$&-'),
  'with spaces that do not break': (datum) => datum.replace(/\d{4}(?=\d)/g, '$&\u00a0'),
  'in Arabic digits': (datum) =>
    datum.replace(/\d/g, (digit) => String.fromCharCode(0x660 + Number(digit))),
  'in bold digits': (datum) =>
    datum.replace(/\d/g, (digit) => String.fromCodePoint(0x1d7ce + Number(digit))),
  'in raised digits': (datum) =>
    datum.replace(/\d/g, (digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)] as string),
  'in lowered digits': (datum) =>
    datum.replace(/\d/g, (digit) => String.fromCharCode(0x2080 + Number(digit))),
  'digit by digit': between(' '),
};

/** The client metadata of the stateless era. */
export const MODERN = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': { elicitation: {}, sampling: {} },
};

const disclosures: Disclosure[] = [];
let count = 0;

function request(what: string, method: string, params: object, more: object = {}): void {
  const id = `d${count++}`;
  const line = JSON.stringify({ jsonrpc: '2.0', id, method, params, ...more });
  disclosures.push({ what, line, id });
}

function mirror(what: string, value: unknown): void {
  const id = `d${count++}`;
  const params = { name: 'mirror', arguments: { value } };
  const line = JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params });
  disclosures.push({ what, line, id, mirrored: value });
}

function notification(what: string, method: string, params: object): void {
  const line = JSON.stringify({ jsonrpc: '2.0', method, params });
  disclosures.push({ what, line, id: undefined });
}

for (const [kind, datum] of Object.entries(DATA)) {
  for (const [how, disguise] of Object.entries(DISGUISES)) {
    mirror(`${kind} ${how}`, disguise(datum));
  }
}
for (const [how, disguise] of Object.entries(OF_NUMBERS)) {
  mirror(`card ${how}`, disguise(DATA.card as string));
}

/** A line in which every character is a JSON escape. */
function escapes(what: string, datum: string): void {
  const id = `d${count++}`;
  const params = `{"name":"mirror","arguments":{"${escaped('value', '\\u')}":"${escaped(datum, '\\u')}"}}`;
  const line = `{"jsonrpc":"2.0","id":"${id}","method":"tools/call","params":${params}}`;
  disclosures.push({ what, line, id, mirrored: datum });
}

for (const [kind, datum] of Object.entries(DATA)) {
  escapes(`${kind} in escapes of the line itself`, datum);
  const eras = [
    ['', {}],
    [' without sessions', MODERN],
  ] as const;
  for (const [era, meta] of eras) {
    const of = (what: string) => `${kind} ${what}${era}`;
    const at = (method: string, what: string, params: Line) =>
      request(of(what), method, { ...params, _meta: { ...meta, ...params._meta } });
    at('tools/call', 'in _meta', { name: 'read', arguments: {}, _meta: { note: datum } });
    at('tools/call', 'as a key of _meta', { name: 'read', arguments: {}, _meta: { [datum]: 1 } });
    at('tools/call', 'as the name of a tool', { name: datum, arguments: {} });
    at('tools/call', 'in an argument of a tool', { name: 'mirror', arguments: { to: [datum] } });
    at('tools/call', 'in a task', { name: 'read', arguments: {}, task: { title: datum } });
    at('tools/call', 'as a progress token', { name: 'read', _meta: { progressToken: datum } });
    at('tools/call', 'in a trace', { name: 'read', _meta: { traceparent: datum, baggage: datum } });
    at('tools/call', 'in an answer without a question', {
      name: 'read',
      inputResponses: { x: { action: 'accept', content: { value: datum } } },
      requestState: datum,
    });
    at('resources/read', 'in a URI', { uri: `crm://people/${datum}` });
    at('prompts/get', 'in an argument of a prompt', { name: 'hello', arguments: { who: datum } });
    at('completion/complete', 'in what is to be completed', {
      ref: { type: 'ref/prompt', name: 'hello' },
      argument: { name: 'who', value: datum },
      context: { arguments: { other: datum } },
    });
    at('tools/list', 'as a cursor', { cursor: datum });
    at('logging/setLevel', 'as a level', { level: datum });
    at('x/unknown', 'in a method that nobody knows', { value: datum });
    request(of('beside the params'), 'tools/call', { name: 'read', _meta: meta }, { note: datum });
    request(of('in the method'), `x/${datum}`, { _meta: meta });
  }
  disclosures.push({
    what: `${kind} as an id`,
    line: JSON.stringify({
      jsonrpc: '2.0',
      id: datum,
      method: 'tools/call',
      params: { name: 'read' },
    }),
    id: datum,
  });
  notification(`${kind} in progress`, 'notifications/progress', {
    progressToken: datum,
    progress: 1,
    message: `At ${datum}`,
  });
  notification(`${kind} in a cancellation`, 'notifications/cancelled', {
    requestId: 'nothing',
    reason: `Because of ${datum}`,
  });
  notification(`${kind} in a notification`, 'notifications/x', { value: datum });
}

export const DISCLOSURES: readonly Disclosure[] = disclosures;

const FORMS = Object.entries(DATA).map(([kind, datum]) => [kind, squashed(datum)] as const);

/** The kinds of data that the most lenient or most curious reader would find in a text. */
export function disclosedIn(text: string): string[] {
  const found = new Set<string>();
  let readings = new Set([text]);
  for (let depth = 0; depth < 6 && readings.size > 0; depth++) {
    const next = new Set<string>();
    for (const reading of readings) {
      const plain = squashed(reading);
      for (const [kind, form] of FORMS) if (plain.includes(form)) found.add(kind);
      for (const other of readingsOf(reading)) if (other !== reading) next.add(other);
    }
    readings = next;
  }
  return [...found];
}

function* readingsOf(text: string): Iterable<string> {
  yield text
    .replace(/\\u([\da-f]{4})/gi, (_, code) => String.fromCharCode(Number.parseInt(code, 16)))
    .replace(/\\(["\\/])/g, '$1')
    .replace(/%([\da-f]{2})/gi, (_, code) => String.fromCharCode(Number.parseInt(code, 16)))
    .replace(/\\(?:x|u\{)([\da-f]{2})\}?/gi, (_, code) =>
      String.fromCharCode(Number.parseInt(code, 16)),
    )
    .replace(/&#x0*([\da-f]{2});/gi, (_, code) => String.fromCharCode(Number.parseInt(code, 16)))
    .replace(/&#0*(\d{2,3});/g, (_, code) => String.fromCharCode(Number(code)));
  yield text.replace(/\\[rn]|\s/g, '');
  for (const [run] of text.matchAll(/[A-Za-z\d+/_-]{16,}/g)) {
    const decoded = Buffer.from(run, 'base64').toString();
    if (/^[\s\p{Cc}!-~]+$/u.test(decoded)) yield decoded;
  }
}

/**
 * Letters and digits alone, with letters of other scripts replaced by the Latin ones that they
 * resemble.
 */
function squashed(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/[\u0660-\u0669]/g, (digit) => String(digit.charCodeAt(0) - 0x660))
    .toLowerCase()
    .replace(/[^a-z\d]/g, '');
}
