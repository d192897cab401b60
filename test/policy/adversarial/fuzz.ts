import type { Attack } from './corpus.ts';

/** Mulberry32: the same numbers for the same seed on every machine. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const SEEDLINGS = [
  '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_db","arguments":{}}}',
  '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{"amount":400,"to":{"country":"us"}}}}',
  '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{"amount":4000,"to":{"country":"us"}}}}',
  '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"refund","arguments":{"amount":9999}}}',
  '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wipe","arguments":{}}}',
];
const INSERTS = [
  '\u200b',
  ' ',
  '\\u200b',
  '\\u0000',
  'é',
  'е',
  '"',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '0',
  '\t',
  '\\',
  '/',
];

/** This many lines, derived from the corpus by small changes. */
export function mutated(attacks: readonly Attack[], seed: number, count: number): string[] {
  const random = randomFrom(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const lines = [...SEEDLINGS, ...SEEDLINGS, ...attacks.map(({ line }) => line)];
  const change = (line: string): string => {
    const at = Math.floor(random() * line.length);
    switch (Math.floor(random() * 8)) {
      case 0:
        return line.slice(0, at) + pick(INSERTS) + line.slice(at);
      case 1:
        return line.slice(0, at) + line.slice(at + 1);
      case 2:
        return line.slice(0, at) + (line[at] ?? '').toUpperCase() + line.slice(at + 1);
      case 3:
        return `[${line},${pick(lines)}]`;
      case 4:
        return line.replace(/"(name|method|arguments|params|amount)"/, (key) => key.toUpperCase());
      case 5:
        return line.replace(
          '{',
          `{${pick(['"extra":1', '"params":{"name":"read"}', '"name":"read"', '"method":"ping"'])},`,
        );
      case 6:
        return line.replace(/delete_db|wipe|pay|refund/, () =>
          pick(['delete_db', 'wipe', 'read', 'Pay', 'WIPE ', 'refund']),
        );
      default:
        return line.replace(/[a-z]/, (letter) => `\\u00${letter.charCodeAt(0).toString(16)}`);
    }
  };
  return Array.from({ length: count }, () => {
    let line = pick(lines);
    for (let times = Math.ceil(random() * 3); times > 0; times--) line = change(line);
    return line.replaceAll('\n', ' ');
  });
}
