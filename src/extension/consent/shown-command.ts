/** Characters that are invisible in a dialog or reorder others. */
const INVISIBLE = /(?![\n\t ])[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/gu;

/** Longer gaps could move the rest of the text out of view. */
const GAP = / {20,}|\t{5,}|\n{3,}/g;

/** Makes a text safe to review: replaces invisible characters and long gaps. */
export function escapeInvisible(text: string): string {
  return text
    .replace(/\r\n/g, '\n')
    .replace(INVISIBLE, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`)
    .replace(GAP, (gap) => ` ⟨${gap.length} × ${gap.startsWith('\n') ? 'line break' : 'blank'}⟩ `);
}

/** Breaks lines after 80 characters, because an editor cuts off longer ones. */
export function wrapLines(text: string): string {
  return text.replace(/[^\n]{80}(?=[^\n])/g, '$&↩\n');
}
