/** Lines with quotes, so that there is something to escape, as in any file that a tool reads out. */
const line = 'The quick brown "fox" jumps over the lazy dog, and the dog does not mind at all.\n';

/**
 * A function that gives the JSON string of a text of at least so many characters, made once per
 * size: what it costs to make is no part of what it costs to deliver.
 */
export function largeTexts(): (characters: number) => Buffer {
  const made = new Map<number, Buffer>();
  return (characters) => {
    const known = made.get(characters);
    if (known) return known;
    const text = line.repeat(Math.ceil(characters / line.length));
    const fresh = Buffer.from(JSON.stringify(text));
    made.set(characters, fresh);
    return fresh;
  };
}
