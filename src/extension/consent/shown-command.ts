/** Characters that a dialog shows as nothing, or that change the order of others. */
const INVISIBLE = /(?![\n\t ])[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/gu;
/** More blanks or empty lines than this could move the rest out of sight. */
const GAP = / {20,}|\t{5,}|\n{3,}/g;

/** A text as a person can judge it: what cannot be seen is written as an escape. */
export function escapeInvisible(text: string): string {
  return text
    .replace(/\r\n/g, '\n')
    .replace(INVISIBLE, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`)
    .replace(GAP, (gap) => ` ⟨${gap.length} × ${gap.startsWith('\n') ? 'line break' : 'blank'}⟩ `);
}

/** Breaks lines that an editor would show in part only. */
export function wrapLines(text: string): string {
  return text.replace(/[^\n]{80}(?=[^\n])/g, '$&↩\n');
}
