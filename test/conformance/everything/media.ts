/** A PNG of one red pixel, in Base64. */
export const PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQD3A0FDAAAAAElFTkSuQmCC';

/** A WAV without samples, in Base64. */
export const SILENCE = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=';

export function text(words: string): { type: 'text'; text: string } {
  return { type: 'text', text: words };
}

export const pixel = { type: 'image', data: PIXEL, mimeType: 'image/png' } as const;
