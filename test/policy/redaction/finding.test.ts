import { describe, expect, test } from 'vitest';
import type { RedactionKind } from '../../../src/policy/redaction/kinds.ts';
import { redactorOf, sent } from './redaction-fixture.ts';
import { ORDINARY, SAMPLES } from './samples.ts';

const EVERY = Object.entries(SAMPLES).flatMap(([kind, samples]) =>
  samples.map((sample) => [kind as RedactionKind, sample] as const),
);
const masking = await redactorOf({ mode: 'mask' });

describe.each(EVERY)('of kind %s, %j', (kind, sample) => {
  const gone = `[redacted:${kind}]`;

  test('is found alone, in a sentence, and in a list', async () => {
    expect(await sent(masking, sample)).toBe(gone);
    expect(await sent(masking, `It is ${sample}, I believe.`)).toBe(`It is ${gone}, I believe.`);
    expect(await sent(masking, `a\n${sample}\n${sample}\nb`)).toBe(`a\n${gone}\n${gone}\nb`);
  });

  test('is found as a key, deep down, and in JSON within strings', async () => {
    expect(await sent(masking, { [sample]: 1 })).toEqual({ [gone]: 1 });
    expect(await sent(masking, { a: [[{ b: sample }]] })).toEqual({ a: [[{ b: gone }]] });
    const twice = JSON.stringify({ c: JSON.stringify([sample]) });
    expect(await sent(masking, twice)).toBe(JSON.stringify({ c: JSON.stringify([gone]) }));
    const lines = `${JSON.stringify({ a: sample })}\n${JSON.stringify([sample])}\n`;
    expect(await sent(masking, lines)).toBe(`{"a":"${gone}"}\n["${gone}"]\n`);
  });

  test('is found in base64', async () => {
    const text = Buffer.from(`It is ${sample}, yes`).toString('base64');
    const got = (await sent(masking, text)) as string;
    expect(Buffer.from(got, 'base64').toString()).toBe(`It is ${gone}, yes`);
  });

  test('is found however its ASCII is disguised', async () => {
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

test.each(ORDINARY)('%j is nobody’s', async (text) => {
  expect(await sent(masking, text)).toBe(text);
});
