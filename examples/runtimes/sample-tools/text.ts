/** A tool's result that is one text. */
export function text(content: string) {
  return { content: [{ type: 'text' as const, text: content }] };
}
