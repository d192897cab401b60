import {
  deflateRawSync,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateRawSync,
  inflateSync,
} from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { RedactionKind } from '../../../src/redaction/rules.ts';
import { HIDDEN_TEXTS, ORDINARY_TEXTS } from './ordinary-texts.ts';
import { callText, received, redactorOf, sent } from './redaction-fixture.ts';
import { ORDINARY, SAMPLES } from './samples.ts';

const EVERY = Object.entries(SAMPLES).flatMap(([kind, samples]) =>
  samples.map((sample) => [kind as RedactionKind, sample] as const),
);
const masking = await redactorOf({ mode: 'mask' });

describe.each(EVERY)('data of kind %s, %j', (kind, sample) => {
  const gone = `[redacted:${kind}]`;

  test('is detected alone, in a sentence, and in a list', async () => {
    expect(await sent(masking, sample)).toBe(gone);
    expect(await sent(masking, `It is ${sample}, I believe.`)).toBe(`It is ${gone}, I believe.`);
    expect(await sent(masking, `a\n${sample}\n${sample}\nb`)).toBe(`a\n${gone}\n${gone}\nb`);
  });

  test('is detected as a key, deep in a structure, and in JSON within strings', async () => {
    expect(await sent(masking, { [sample]: 1 })).toEqual({ [gone]: 1 });
    expect(await sent(masking, { a: [[{ b: sample }]] })).toEqual({ a: [[{ b: gone }]] });
    const twice = JSON.stringify({ c: JSON.stringify([sample]) });
    expect(await sent(masking, twice)).toBe(JSON.stringify({ c: JSON.stringify([gone]) }));
    const lines = `${JSON.stringify({ a: sample })}\n${JSON.stringify([sample])}\n`;
    expect(await sent(masking, lines)).toBe(`{"a":"${gone}"}\n["${gone}"]\n`);
  });

  test('is detected in base64', async () => {
    const text = Buffer.from(`It is ${sample}, yes`).toString('base64');
    const got = (await sent(masking, text)) as string;
    expect(Buffer.from(got, 'base64').toString()).toBe(`It is ${gone}, yes`);
  });

  test('is detected in each disguise of its ASCII characters', async () => {
    const disguises: Record<string, (character: string) => string> = {
      url: (character) => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
      json: (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
      html: (character) => `&#${character.charCodeAt(0)};`,
      wide: (character) => String.fromCharCode(character.charCodeAt(0) + 0xfee0),
      spread: (character) => `${character}\u200b`,
    };
    for (const disguise of Object.values(disguises)) {
      const disguised = sample.replace(/[!-~]/g, disguise);
      expect(await sent(masking, `x ${disguised} y`)).toMatch(/^x \[redacted:[a-z-]+\]\u200b? y$/);
    }
  });
});

test.each(ORDINARY)('%j is not personal data', async (text) => {
  expect(await sent(masking, text)).toBe(text);
});

const COUNTRIES = 'AT BR CH DE ES FR GB IN IT JP NL US'.split(' ');
const ofCountries = await redactorOf({ mode: 'mask', countries: COUNTRIES });

describe.each(Object.entries(ORDINARY_TEXTS))('leaves %s unchanged', (_, texts) => {
  test.each(texts)('%j', async (text) => {
    for (const redactor of [masking, ofCountries]) {
      const message = callText({ value: text, list: [`${text}\n${text}`] });
      expect((await redactor.toServer(message, {})).json).toBe(message);
    }
  });
});

test('leaves versions unchanged under member names for versions', async () => {
  const versions = { version: '4.8.0.1', fileVersion: '10.2.5.1', release: '3.1.4.1' };
  expect(await sent(ofCountries, versions)).toEqual(versions);
  expect(await sent(masking, { host: '4.8.0.1' })).toEqual({ host: '[redacted:ip]' });
});

test.each(HIDDEN_TEXTS)('detects %s', async (_, text, part) => {
  const got = await sent(masking, text);
  expect(got).not.toBe(text);
  expect(got).not.toContain(part);
});

describe.each([
  ['gzip', gzipSync, gunzipSync],
  ['deflate', deflateSync, inflateSync],
  ['raw deflate', deflateRawSync, inflateRawSync],
] as const)('in %s', (_, compress, decompress) => {
  const packed = (text: string) => compress(text).toString('base64');
  const unpacked = (text: string) => decompress(Buffer.from(text, 'base64')).toString();

  test('a base64 text is searched, alone and among other words', async () => {
    const text = packed('Write to jane.doe@example.com, please');
    const gone = 'Write to [redacted:email], please';
    expect(unpacked((await sent(masking, text)) as string)).toBe(gone);
    const [, word] =
      /^body=(\S+) end$/.exec((await sent(masking, `body=${text} end`)) as string) ?? [];
    expect(unpacked(word as string)).toBe(gone);
    const ordinary = packed('Nothing of anybody is in here, only words');
    expect(await sent(masking, ordinary)).toBe(ordinary);
  });

  test('a token is restored', async () => {
    const redactor = await redactorOf();
    const token = await sent(redactor, packed('Write to jane.doe@example.com, please'));
    expect(unpacked(token as string)).toMatch(/^Write to <email:[\da-f]{16}>, please$/);
    const back = (await received(redactor, token)) as string;
    expect(unpacked(back)).toBe('Write to jane.doe@example.com, please');
  });
});

test('a hexadecimal text keeps its case, and its tokens are restored', async () => {
  const redactor = await redactorOf();
  const text = Buffer.from('to jane.doe@example.com').toString('hex').toUpperCase();
  const token = (await sent(redactor, text)) as string;
  expect(token).toMatch(/^[\dA-F]+$/);
  expect(Buffer.from(token, 'hex').toString()).toMatch(/^to <email:/);
  expect(await received(redactor, token)).toBe(text);
});

test.each(['4111 4111 4111', '4111 '.repeat(40), '2222-2222-2222'])(
  'does not treat a repeated group of digits as a personal number: %j',
  async (text) => {
    expect(await sent(masking, text)).toBe(text);
  },
);
